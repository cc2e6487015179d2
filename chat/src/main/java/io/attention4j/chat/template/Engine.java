package io.attention4j.chat.template;

import com.hubspot.jinjava.Jinjava;
import com.hubspot.jinjava.JinjavaConfig;
import com.hubspot.jinjava.interpret.Context;
import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.interpret.TemplateError;
import com.hubspot.jinjava.lib.expression.ExpressionStrategy;
import com.hubspot.jinjava.mode.ExecutionMode;
import com.hubspot.jinjava.tree.Node;
import com.hubspot.jinjava.tree.output.RenderedOutputNode;
import com.hubspot.jinjava.tree.parse.ExpressionToken;
import java.util.List;
import java.util.function.IntUnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Jinjava with our tags and our expressions, and without anything that loads or reflects. */
final class Engine {
  private static final Pattern NUMBER = Pattern.compile("\\d+");
  private static final Jinjava JINJAVA = new Jinjava(config());

  static {
    Tags.ALL.forEach(JINJAVA::registerTag);
  }

  private Engine() {}

  private static JinjavaConfig config() {
    return JinjavaConfig.newBuilder()
        .withExecutionMode(new NumberedMode())
        .withNestedInterpretationEnabled(false)
        .withFailOnUnknownTokens(true)
        .build();
  }

  static JinjavaInterpreter interpreter() {
    // A child of the global context sees its tags; a copy would register all of them each time.
    Context context = new Context(JINJAVA.getGlobalContext());
    return new JinjavaInterpreter(JINJAVA, context, JINJAVA.getGlobalConfig());
  }

  static boolean opens(String tag) {
    return Tags.ALL.stream().anyMatch(x -> x.getName().equals(tag) && x.getEndTagName() != null);
  }

  /** The tree of a numbered template; {@code lineOf} tells the line of a number. */
  static List<Node> parse(String numbered, IntUnaryOperator lineOf) {
    JinjavaInterpreter interpreter = interpreter();
    Node root = interpreter.parse(numbered);
    for (TemplateError error : interpreter.getErrorsCopy()) {
      // Jinjava's position counts in the numbered template; the number inside leads to our line.
      int start = Math.max(0, Math.min(numbered.length(), error.getStartPosition() - 2));
      Matcher number = NUMBER.matcher(numbered);
      String where =
          number.find(start) ? lineOf.applyAsInt(Integer.parseInt(number.group())) + "" : "?";
      throw new TemplateException("line " + where + ": " + error.getMessage());
    }
    return root.getChildren();
  }

  /** Makes the outputs of a numbered template evaluate our expressions. */
  private static final class NumberedMode implements ExecutionMode {
    @Override
    public void prepareContext(Context context) {
      context.setExpressionStrategy(new NumberedOutput());
    }
  }

  private static final class NumberedOutput implements ExpressionStrategy {
    private static final long serialVersionUID = 1L;

    @Override
    public RenderedOutputNode interpretOutput(
        ExpressionToken token, JinjavaInterpreter interpreter) {
      Run run = Run.of(interpreter);
      int index = Integer.parseInt(token.getExpr());
      run.atLine(run.template().line(index));
      Object value = run.evaluator().evaluate(run.template().output(index));
      return new RenderedOutputNode(Values.str(run, value));
    }
  }
}
