package io.attention4j.chat.template;

import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.tree.Node;
import com.hubspot.jinjava.tree.TagNode;
import java.time.ZonedDateTime;
import java.util.List;
import java.util.Map;

/**
 * One rendering: its scope, its budget, and the flags of break and continue. Every evaluated
 * expression and every character or item that an operation makes is charged, so a hostile template
 * ends with an error instead of filling time or memory.
 */
final class Run {
  /** Name under which jinjava's context holds the run. */
  static final String KEY = "attention4j.run";

  private static final long MAX_WORK = 50_000_000;
  private static final int MAX_DEPTH = 400;

  /** What an expression or block costs, in characters copied. */
  private static final int STEP_WORK = 8;

  private final CompiledTemplate template;
  private final JinjavaInterpreter interpreter;
  private final ZonedDateTime now;
  private final Evaluator evaluator = new Evaluator(this);
  private Scope scope;
  private long work;
  private int depth;
  private int line;
  private String blockBody;
  private boolean breaking;
  private boolean continuing;

  Run(CompiledTemplate template, JinjavaInterpreter interpreter, Scope scope, ZonedDateTime now) {
    this.template = template;
    this.interpreter = interpreter;
    this.scope = scope;
    this.now = now;
  }

  static Run of(JinjavaInterpreter interpreter) {
    return (Run) interpreter.getContext().get(KEY);
  }

  CompiledTemplate template() {
    return template;
  }

  Evaluator evaluator() {
    return evaluator;
  }

  Scope scope() {
    return scope;
  }

  ZonedDateTime now() {
    return now;
  }

  /** Makes a scope the present one. */
  void enterScope(Scope scope) {
    this.scope = scope;
  }

  int line() {
    return line;
  }

  void atLine(int line) {
    this.line = line;
  }

  /** The rendered body that a filter or set block filters. */
  String blockBody() {
    return blockBody;
  }

  void enter() {
    charge(STEP_WORK);
    if (++depth > MAX_DEPTH) {
      throw new TemplateException("blocks, macro calls and expressions nest too deep");
    }
  }

  void leave() {
    depth--;
  }

  void charge(long amount) {
    work += amount;
    if (amount > MAX_WORK || work > MAX_WORK) {
      throw new TemplateException("the template works longer or makes more text than is allowed");
    }
  }

  /** Charges for reading all of a value once, not for what is nested in it. */
  void chargeReading(Object value) {
    charge(
        switch (value) {
          case String text -> text.length();
          case List<?> list -> list.size();
          case Map<?, ?> map -> map.size();
          default -> 1;
        });
  }

  String charge(String text) {
    charge(text.length());
    return text;
  }

  void setBreaking() {
    breaking = true;
  }

  void setContinuing() {
    continuing = true;
  }

  /** Whether the rest of a loop's body is to be left out. */
  boolean skipping() {
    return breaking || continuing;
  }

  /** Clears the flags at the end of an iteration; true if the loop ends. */
  boolean endIteration() {
    boolean end = breaking;
    breaking = false;
    continuing = false;
    return end;
  }

  /** Renders nodes in the present scope. */
  String render(List<Node> nodes) {
    enter();
    StringBuilder out = new StringBuilder();
    for (Node node : nodes) {
      String text = node.render(interpreter).getValue();
      charge(text.length() + 1L);
      out.append(text);
      if (skipping()) {
        break;
      }
    }
    leave();
    return out.toString();
  }

  /** Renders nodes in a scope, which is then left. */
  String render(List<Node> nodes, Scope in) {
    Scope before = scope;
    scope = in;
    String text = render(nodes);
    scope = before;
    return text;
  }

  /** Renders a block's body and applies its filters. */
  String renderFiltered(TagNode node, Expression filter) {
    String body = render(node.getChildren(), new Scope(scope));
    if (filter == null) {
      return body;
    }
    String before = blockBody;
    blockBody = body;
    String text = Values.str(this, evaluator.evaluate(filter));
    blockBody = before;
    return text;
  }
}
