package io.attention4j.chat.template;

import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.tree.Node;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * A template, ready to render from any number of threads.
 *
 * <p>Compiling cuts the source by Jinja2's rules, parses every tag and expression, and hands
 * jinjava a template in which each is replaced by its number and text by an output: {@code {{ 0
 * }}{% if 1 %}{{ 2 }}{% endif %}}. So jinjava never sees white space, quotes or operators, and
 * whatever a message contains is only ever a value.
 */
public final class CompiledTemplate {
  /** Longest source that is compiled; real ones have up to 20,000 characters. */
  public static final int MAX_SOURCE_CHARS = 1 << 20;

  private static final int MAX_NESTING = 60;

  /** An output or tag: what it is and where. */
  private record Part(Object content, int line) {}

  private final List<Part> parts = new ArrayList<>();
  private final List<Node> nodes;

  /**
   * Compiles a template.
   *
   * @throws TemplateException if the source is not a template
   */
  public CompiledTemplate(String source) {
    if (source.length() > MAX_SOURCE_CHARS) {
      throw new TemplateException(
          "it has " + source.length() + " characters; templates have at most " + MAX_SOURCE_CHARS);
    }
    String numbered = number(Lexer.segments(source));
    nodes = Engine.parse(numbered, index -> parts.get(index).line());
  }

  private String number(List<Segment> segments) {
    StringBuilder source = new StringBuilder();
    int nesting = 0;
    for (Segment segment : segments) {
      int index = parts.size();
      try {
        switch (segment) {
          case Segment.Text text -> {
            parts.add(new Part(new Expression.Constant(text.text()), text.line()));
            source.append("{{ ").append(index).append(" }}");
          }
          case Segment.Output output -> {
            Parser parser = new Parser(output.tokens());
            Expression expression = parser.expressions();
            parser.expectEnd();
            parts.add(new Part(expression, output.line()));
            source.append("{{ ").append(index).append(" }}");
          }
          case Segment.Statement statement -> {
            StatementParser.Parsed parsed = StatementParser.parse(statement.tokens());
            nesting += Engine.opens(parsed.tag()) ? 1 : parsed.tag().startsWith("end") ? -1 : 0;
            if (nesting > MAX_NESTING) {
              throw new TemplateException("blocks nest deeper than " + MAX_NESTING);
            }
            parts.add(new Part(parsed.statement(), statement.line()));
            source.append("{% ").append(parsed.tag()).append(' ').append(index).append(" %}");
          }
        }
      } catch (TemplateException e) {
        throw new TemplateException("line " + segment.line() + ": " + e.getMessage());
      }
    }
    return source.toString();
  }

  Expression output(int index) {
    return (Expression) parts.get(index).content();
  }

  Statement statement(int index) {
    return (Statement) parts.get(index).content();
  }

  int line(int index) {
    return parts.get(index).line();
  }

  /**
   * Renders the template.
   *
   * @param variables null, text, booleans, numbers, lists and maps with text keys, copied first
   * @param now what strftime_now tells
   * @throws TemplateException if the template fails or calls raise_exception; names the line
   */
  public String render(Map<String, ?> variables, ZonedDateTime now) {
    JinjavaInterpreter interpreter = Engine.interpreter();
    Scope scope = new Scope(null);
    Run run = new Run(this, interpreter, scope, now);
    Functions.define(run, scope);
    Scope top = new Scope(scope);
    run.enterScope(top);
    interpreter.getContext().put(Run.KEY, run);
    variables.forEach((name, value) -> top.set(name, Values.of(value)));
    try {
      return run.render(nodes);
    } catch (TemplateException e) {
      throw new TemplateException("line " + run.line() + ": " + e.getMessage());
    }
  }
}
