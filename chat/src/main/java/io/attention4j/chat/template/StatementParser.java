package io.attention4j.chat.template;

import java.util.ArrayList;
import java.util.List;

/** Parses the tags. */
final class StatementParser {
  /**
   * A parsed tag.
   *
   * @param tag the name under which jinjava knows it
   */
  record Parsed(String tag, Statement statement) {}

  private final Parser parser;

  private StatementParser(List<Token> tokens) {
    parser = new Parser(tokens);
  }

  static Parsed parse(List<Token> tokens) {
    StatementParser statements = new StatementParser(tokens);
    Parsed parsed = statements.parse();
    statements.parser.expectEnd();
    return parsed;
  }

  private Parsed parse() {
    String name = parser.expectName();
    return switch (name) {
      case "if", "elif" -> new Parsed(name, new Statement.Condition(parser.expressions()));
      case "for" -> new Parsed(name, forLoop());
      case "set" -> set();
      case "macro" -> new Parsed(name, new Statement.Macro(parser.expectName(), parameters()));
      case "call" -> new Parsed(name, callBlock());
      case "filter" -> new Parsed(name, new Statement.FilterBlock(parser.filterChain()));
      case "with" -> new Parsed(name, with());
      case "endset" -> new Parsed("endsetblock", new Statement.Bare());
      case "endmacro", "endcall" -> {
        if (!parser.atEnd()) {
          parser.expectName(); // Jinja2 lets the name be repeated
        }
        yield new Parsed(name, new Statement.Bare());
      }
      case "else",
          "endif",
          "endfor",
          "endfilter",
          "endwith",
          "break",
          "continue",
          "generation",
          "endgeneration" ->
          new Parsed(name, new Statement.Bare());
      default ->
          throw new TemplateException(
              "the tag '"
                  + name
                  + "' is not one of if, for, set, macro, call, filter, with, break, continue,"
                  + " generation, raw");
    };
  }

  private Statement forLoop() {
    boolean[] unpacks = new boolean[1];
    List<Statement.Target> targets = targets(unpacks, false);
    if (!parser.skipName("in")) {
      throw new TemplateException("expected 'in' but found " + parser.peek());
    }
    Expression iterable = parser.iterable();
    Expression filter = parser.skipName("if") ? parser.expression() : null;
    if (parser.skipName("recursive")) {
      throw new TemplateException("recursive loops are not supported; use a macro");
    }
    return new Statement.For(targets, unpacks[0], iterable, filter);
  }

  private Parsed set() {
    boolean[] unpacks = new boolean[1];
    List<Statement.Target> targets = targets(unpacks, true);
    if (parser.skipOperator("=")) {
      return new Parsed("set", new Statement.Set(targets, unpacks[0], parser.expressions()));
    }
    if (unpacks[0]) {
      throw new TemplateException("a set block sets one variable");
    }
    return new Parsed("setblock", new Statement.SetBlock(targets.get(0), parser.blockFilters()));
  }

  private List<Statement.Target> targets(boolean[] unpacks, boolean namespaces) {
    List<Statement.Target> targets = new ArrayList<>();
    boolean parenthesised = parser.skipOperator("(");
    do {
      if (!targets.isEmpty() && parser.peek().kind() != Token.Kind.NAME) {
        break; // a trailing comma
      }
      String name = variable();
      targets.add(
          new Statement.Target(
              name, namespaces && parser.skipOperator(".") ? parser.expectName() : null));
      unpacks[0] = parser.peek().isOperator(",") || unpacks[0];
    } while (parser.skipOperator(","));
    if (parenthesised) {
      parser.expectOperator(")");
    }
    return targets;
  }

  private String variable() {
    String name = parser.expectName();
    if (List.of("true", "false", "none", "True", "False", "None").contains(name)) {
      throw new TemplateException("'" + name + "' cannot be set");
    }
    return name;
  }

  private Statement.Parameters parameters() {
    parser.expectOperator("(");
    List<String> names = new ArrayList<>();
    List<Expression> defaults = new ArrayList<>();
    while (!parser.skipOperator(")")) {
      if (!names.isEmpty()) {
        parser.expectOperator(",");
      }
      names.add(variable());
      defaults.add(parser.skipOperator("=") ? parser.expression() : null);
    }
    return new Statement.Parameters(names, defaults);
  }

  private Statement callBlock() {
    Statement.Parameters parameters =
        parser.peek().isOperator("(") ? parameters() : Statement.Parameters.NONE;
    if (parser.expression() instanceof Expression.Call call) {
      return new Statement.CallBlock(parameters, call);
    }
    throw new TemplateException("a call block needs a macro call");
  }

  private Statement with() {
    List<Statement.Target> targets = new ArrayList<>();
    List<Expression> values = new ArrayList<>();
    while (!parser.atEnd()) {
      if (!targets.isEmpty()) {
        parser.expectOperator(",");
      }
      targets.add(new Statement.Target(variable(), null));
      parser.expectOperator("=");
      values.add(parser.expression());
    }
    return new Statement.With(targets, values);
  }
}
