package io.attention4j.chat.template;

import io.attention4j.chat.template.Expression.CallArguments;
import java.util.ArrayList;
import java.util.List;

/** Recursive descent over the tokens of one tag, with the grammar and precedence of Jinja2. */
final class Parser {
  private static final int MAX_DEPTH = 100;
  private static final Token END = new Token(Token.Kind.OPERATOR, "end of tag");
  private static final List<String> COMPARISONS = List.of("==", "!=", "<", "<=", ">", ">=");

  private final List<Token> tokens;
  private int at;
  private int depth;

  Parser(List<Token> tokens) {
    this.tokens = tokens;
  }

  Token peek() {
    return peek(0);
  }

  private Token peek(int ahead) {
    return at + ahead < tokens.size() ? tokens.get(at + ahead) : END;
  }

  Token next() {
    Token token = peek();
    at++;
    return token;
  }

  boolean atEnd() {
    return at >= tokens.size();
  }

  boolean skipOperator(String operator) {
    if (peek().isOperator(operator)) {
      at++;
      return true;
    }
    return false;
  }

  boolean skipName(String name) {
    if (peek().isName(name)) {
      at++;
      return true;
    }
    return false;
  }

  void expectOperator(String operator) {
    if (!skipOperator(operator)) {
      throw new TemplateException("expected '" + operator + "' but found " + peek());
    }
  }

  String expectName() {
    Token token = next();
    if (token.kind() != Token.Kind.NAME) {
      throw new TemplateException("expected a name but found " + token);
    }
    return token.text();
  }

  void expectEnd() {
    if (!atEnd()) {
      throw new TemplateException("unexpected " + peek());
    }
  }

  Expression expression() {
    if (++depth > MAX_DEPTH) {
      throw new TemplateException("an expression nests deeper than " + MAX_DEPTH);
    }
    Expression expression = or();
    while (skipName("if")) {
      Expression condition = or();
      Expression otherwise = skipName("else") ? expression() : null;
      expression = new Expression.Conditional(condition, expression, otherwise);
    }
    depth--;
    return expression;
  }

  /** One expression, or a tuple of several separated by commas. */
  Expression expressions() {
    return tuple(true, false);
  }

  /** What a for loop iterates over: no trailing condition, which is the loop's filter. */
  Expression iterable() {
    return tuple(false, false);
  }

  private Expression tuple(boolean conditional, boolean mayBeEmpty) {
    List<Expression> items = new ArrayList<>();
    boolean comma = false;
    while (!atEnd() && !peek().isOperator(")")) {
      items.add(conditional ? expression() : or());
      if (!skipOperator(",")) {
        break;
      }
      comma = true;
    }
    if (items.size() == 1 && !comma) {
      return items.get(0);
    }
    if (items.isEmpty() && !mayBeEmpty) {
      throw new TemplateException("expected an expression but found " + peek());
    }
    return new Expression.TupleDisplay(items);
  }

  private Expression or() {
    Expression left = and();
    while (skipName("or")) {
      left = new Expression.Or(left, and());
    }
    return left;
  }

  private Expression and() {
    Expression left = not();
    while (skipName("and")) {
      left = new Expression.And(left, not());
    }
    return left;
  }

  private Expression not() {
    int nots = 0;
    while (skipName("not")) {
      nots++;
    }
    Expression operand = comparison();
    if (nots == 0) {
      return operand;
    }
    // Two nots make a boolean of the operand; further pairs change nothing.
    Expression once = new Expression.Not(operand);
    return nots % 2 == 1 ? once : new Expression.Not(once);
  }

  private Expression comparison() {
    Expression first = sum();
    List<String> operators = new ArrayList<>();
    List<Expression> operands = new ArrayList<>();
    while (true) {
      Token token = peek();
      if (token.kind() == Token.Kind.OPERATOR && COMPARISONS.contains(token.text())) {
        at++;
        operators.add(token.text());
      } else if (skipName("in")) {
        operators.add("in");
      } else if (token.isName("not") && peek(1).isName("in")) {
        at += 2;
        operators.add("not in");
      } else {
        return operators.isEmpty() ? first : new Expression.Comparison(first, operators, operands);
      }
      operands.add(sum());
    }
  }

  private Expression sum() {
    Expression left = concatenation();
    while (peek().isOperator("+") || peek().isOperator("-")) {
      left = new Expression.Binary(next().text(), left, concatenation());
    }
    return left;
  }

  private Expression concatenation() {
    List<Expression> parts = new ArrayList<>();
    do {
      parts.add(product());
    } while (skipOperator("~"));
    return parts.size() == 1 ? parts.get(0) : new Expression.Concatenation(parts);
  }

  private Expression product() {
    Expression left = power();
    while (peek().isOperator("*")
        || peek().isOperator("/")
        || peek().isOperator("//")
        || peek().isOperator("%")) {
      left = new Expression.Binary(next().text(), left, power());
    }
    return left;
  }

  private Expression power() {
    Expression left = unary(true);
    while (skipOperator("**")) {
      left = new Expression.Binary("**", left, unary(true));
    }
    return left;
  }

  private Expression unary(boolean withFilter) {
    if (++depth > MAX_DEPTH) {
      throw new TemplateException("an expression nests deeper than " + MAX_DEPTH);
    }
    Expression expression;
    if (skipOperator("-")) {
      expression = new Expression.Negate(unary(false));
    } else if (skipOperator("+")) {
      expression = new Expression.Plus(unary(false));
    } else {
      expression = primary();
    }
    expression = postfix(expression);
    depth--;
    return withFilter ? filters(expression) : expression;
  }

  private Expression primary() {
    Token token = next();
    switch (token.kind()) {
      case NAME -> {
        return switch (token.text()) {
          case "true", "True" -> new Expression.Constant(true);
          case "false", "False" -> new Expression.Constant(false);
          case "none", "None" -> new Expression.Constant(None.NONE);
          default -> new Expression.Name(token.text());
        };
      }
      case STRING -> {
        StringBuilder text = new StringBuilder(token.text());
        while (peek().kind() == Token.Kind.STRING) {
          text.append(next().text());
        }
        return new Expression.Constant(text.toString());
      }
      case INTEGER -> {
        try {
          return new Expression.Constant(Long.parseLong(token.text()));
        } catch (NumberFormatException e) {
          throw new TemplateException("the number " + token.text() + " does not fit 64 bits");
        }
      }
      case FLOAT -> {
        return new Expression.Constant(Double.parseDouble(token.text()));
      }
      case OPERATOR -> {}
    }
    switch (token.text()) {
      case "(" -> {
        Expression inner = tuple(true, true);
        expectOperator(")");
        return inner;
      }
      case "[" -> {
        List<Expression> items = new ArrayList<>();
        while (!skipOperator("]")) {
          if (!items.isEmpty()) {
            expectOperator(",");
            if (skipOperator("]")) {
              break;
            }
          }
          items.add(expression());
        }
        return new Expression.ListDisplay(items);
      }
      case "{" -> {
        List<Expression> keys = new ArrayList<>();
        List<Expression> values = new ArrayList<>();
        while (!skipOperator("}")) {
          if (!keys.isEmpty()) {
            expectOperator(",");
            if (skipOperator("}")) {
              break;
            }
          }
          keys.add(expression());
          expectOperator(":");
          values.add(expression());
        }
        return new Expression.MapDisplay(keys, values);
      }
      default -> throw new TemplateException("expected an expression but found " + token);
    }
  }

  private Expression postfix(Expression base) {
    Expression expression = base;
    while (true) {
      if (skipOperator(".")) {
        Token token = next();
        if (token.kind() == Token.Kind.NAME) {
          expression = new Expression.Attribute(expression, token.text());
        } else if (token.kind() == Token.Kind.INTEGER) {
          expression =
              new Expression.Item(
                  expression, new Expression.Constant(Long.parseLong(token.text())));
        } else {
          throw new TemplateException("expected a name after '.' but found " + token);
        }
      } else if (skipOperator("[")) {
        expression = new Expression.Item(expression, subscript());
        expectOperator("]");
      } else if (peek().isOperator("(")) {
        expression = new Expression.Call(expression, callArguments());
      } else {
        return expression;
      }
    }
  }

  private Expression subscript() {
    Expression start = peek().isOperator(":") ? null : expression();
    if (!skipOperator(":")) {
      return start;
    }
    Expression stop = peek().isOperator(":") || peek().isOperator("]") ? null : expression();
    Expression step = skipOperator(":") && !peek().isOperator("]") ? expression() : null;
    return new Expression.Slice(start, stop, step);
  }

  private Expression filters(Expression base) {
    Expression expression = base;
    while (true) {
      if (peek().isOperator("|")) {
        expression = filter(expression);
      } else if (skipName("is")) {
        expression = test(expression);
      } else if (peek().isOperator("(")) {
        expression = new Expression.Call(expression, callArguments());
      } else {
        return expression;
      }
    }
  }

  /** One {@code | name(...)}. */
  private Expression filter(Expression base) {
    expectOperator("|");
    return namedFilter(base);
  }

  private Expression namedFilter(Expression base) {
    String name = expectName();
    Filters.check(name);
    CallArguments arguments = peek().isOperator("(") ? callArguments() : CallArguments.NONE;
    return new Expression.Filter(base, name, arguments);
  }

  /** The filters of a set block, possibly none: {@code | a | b}. */
  Expression blockFilters() {
    Expression filter = null;
    while (peek().isOperator("|")) {
      filter = filter(filter);
    }
    return filter;
  }

  /** The filters of a filter block: {@code a | b}. */
  Expression filterChain() {
    Expression filter = namedFilter(null);
    while (peek().isOperator("|")) {
      filter = filter(filter);
    }
    return filter;
  }

  private Expression test(Expression base) {
    boolean negated = skipName("not");
    String name = expectName();
    Tests.check(name);
    CallArguments arguments = CallArguments.NONE;
    Token token = peek();
    if (token.isOperator("(")) {
      arguments = callArguments();
    } else if (token.isOperator("[")
        || token.isOperator("{")
        || token.kind() != Token.Kind.OPERATOR && !isKeyword(token)) {
      Expression argument = postfix(primary());
      arguments = new CallArguments(List.of(argument), List.of(), List.of(), null, null);
    }
    Expression test = new Expression.Test(base, name, arguments);
    return negated ? new Expression.Not(test) : test;
  }

  private static boolean isKeyword(Token token) {
    // Jinja2 stops at else, or, and; the others can only follow a test, never be its argument.
    return token.kind() == Token.Kind.NAME
        && List.of("else", "or", "and", "if", "is", "in", "not", "recursive")
            .contains(token.text());
  }

  CallArguments callArguments() {
    expectOperator("(");
    List<Expression> positional = new ArrayList<>();
    List<String> names = new ArrayList<>();
    List<Expression> named = new ArrayList<>();
    Expression starred = null;
    Expression doubleStarred = null;
    boolean first = true;
    while (!skipOperator(")")) {
      if (!first) {
        expectOperator(",");
        if (skipOperator(")")) {
          break;
        }
      }
      first = false;
      if (skipOperator("**")) {
        doubleStarred = expression();
      } else if (skipOperator("*")) {
        starred = expression();
      } else if (peek().kind() == Token.Kind.NAME && peek(1).isOperator("=")) {
        names.add(expectName());
        expectOperator("=");
        named.add(expression());
      } else if (!names.isEmpty()) {
        throw new TemplateException("a positional argument follows a named one");
      } else {
        positional.add(expression());
      }
    }
    return new CallArguments(positional, names, named, starred, doubleStarred);
  }
}
