package io.attention4j.chat.template;

import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.lib.tag.Tag;
import com.hubspot.jinjava.tree.Node;
import com.hubspot.jinjava.tree.TagNode;
import java.util.ArrayList;
import java.util.List;

/** Jinja2's tags, with Jinja2's scopes. */
final class Tags {
  static final List<Tag> ALL =
      List.of(
          block("if", Tags::condition),
          block("for", Tags::loop),
          single("set", Tags::set),
          block("setblock", Tags::setBlock),
          block("macro", Tags::macro),
          block("call", Tags::call),
          block("filter", Tags::filter),
          block("with", Tags::with),
          // Marks what an assistant wrote, for training; the text is the body's.
          block("generation", (run, node) -> run.render(node.getChildren())),
          single("elif", Tags::misplaced),
          single("else", Tags::misplaced),
          single("break", (run, node) -> flow(run, true)),
          single("continue", (run, node) -> flow(run, false)));

  private Tags() {}

  private interface Body {
    String render(Run run, TagNode node);
  }

  private static Tag block(String name, Body body) {
    return new NumberedTag(name, "end" + name, body);
  }

  private static Tag single(String name, Body body) {
    return new NumberedTag(name, null, body);
  }

  private static final class NumberedTag implements Tag {
    private static final long serialVersionUID = 1L;

    private final String name;
    private final String endName;
    private final transient Body body;

    NumberedTag(String name, String endName, Body body) {
      this.name = name;
      this.endName = endName;
      this.body = body;
    }

    @Override
    public String getName() {
      return name;
    }

    @Override
    public String getEndTagName() {
      return endName;
    }

    @Override
    public String interpret(TagNode node, JinjavaInterpreter interpreter) {
      Run run = Run.of(interpreter);
      run.atLine(run.template().line(index(node)));
      return body.render(run, node);
    }
  }

  private static int index(TagNode node) {
    return Integer.parseInt(node.getHelpers().trim());
  }

  private static Statement statement(Run run, TagNode node) {
    return run.template().statement(index(node));
  }

  private static String misplaced(Run run, TagNode node) {
    throw new TemplateException("'" + node.getName() + "' stands outside of its block");
  }

  private static String flow(Run run, boolean ends) {
    if (!(run.scope().get("loop") instanceof Loop)) {
      throw new TemplateException("break or continue stands outside of a loop");
    }
    if (ends) {
      run.setBreaking();
    } else {
      run.setContinuing();
    }
    return "";
  }

  private static String condition(Run run, TagNode node) {
    boolean holds = run.evaluator().truth(((Statement.Condition) statement(run, node)).condition());
    List<Node> branch = new ArrayList<>();
    for (Node child : node.getChildren()) {
      boolean elseIf = isTag(child, "elif");
      if (elseIf || isTag(child, "else")) {
        if (holds) {
          break;
        }
        TagNode tag = (TagNode) child;
        run.atLine(run.template().line(index(tag)));
        holds =
            !elseIf
                || run.evaluator().truth(((Statement.Condition) statement(run, tag)).condition());
      } else if (holds) {
        branch.add(child);
      }
    }
    return run.render(branch);
  }

  private static boolean isTag(Node node, String name) {
    return node instanceof TagNode tag && tag.getName().equals(name);
  }

  private static String loop(Run run, TagNode node) {
    Statement.For loop = (Statement.For) statement(run, node);
    List<?> items = Values.iterate(run.evaluator().evaluate(loop.iterable()));
    run.chargeReading(items);
    Scope outer = run.scope();
    if (loop.filter() != null) {
      List<Object> kept = new ArrayList<>();
      for (Object item : items) {
        run.enterScope(new Scope(outer));
        assign(run, loop.targets(), loop.unpacks(), item);
        if (run.evaluator().truth(loop.filter())) {
          kept.add(item);
        }
      }
      run.enterScope(outer);
      items = kept;
    }
    List<Node> body = new ArrayList<>();
    List<Node> otherwise = new ArrayList<>();
    boolean inElse = false;
    for (Node child : node.getChildren()) {
      if (isTag(child, "else")) {
        inElse = true;
      } else {
        (inElse ? otherwise : body).add(child);
      }
    }
    if (items.isEmpty()) {
      return run.render(otherwise, new Scope(outer));
    }
    Loop state = new Loop(run, items);
    StringBuilder out = new StringBuilder();
    for (int i = 0; i < items.size(); i++) {
      state.moveTo(i);
      Scope scope = new Scope(outer);
      scope.set("loop", state);
      run.enterScope(scope);
      assign(run, loop.targets(), loop.unpacks(), items.get(i));
      String text = run.render(body);
      run.charge(text.length());
      out.append(text);
      run.enterScope(outer);
      if (run.endIteration()) {
        break;
      }
    }
    return out.toString();
  }

  private static void assign(
      Run run, List<Statement.Target> targets, boolean unpacks, Object value) {
    if (!unpacks) {
      assign(run, targets.get(0), value);
      return;
    }
    List<?> values = Values.iterate(value);
    if (values.size() != targets.size()) {
      throw new TemplateException(
          values.size() + " values cannot be given to " + targets.size() + " variables");
    }
    for (int i = 0; i < targets.size(); i++) {
      assign(run, targets.get(i), values.get(i));
    }
  }

  private static void assign(Run run, Statement.Target target, Object value) {
    if (target.attribute() == null) {
      run.scope().set(target.name(), value);
    } else if (run.scope().get(target.name()) instanceof Namespace namespace) {
      namespace.attributes().put(target.attribute(), value);
    } else {
      throw new TemplateException(
          "'" + target.name() + "' is no namespace, so its attributes cannot be set");
    }
  }

  private static String set(Run run, TagNode node) {
    Statement.Set set = (Statement.Set) statement(run, node);
    assign(run, set.targets(), set.unpacks(), run.evaluator().evaluate(set.value()));
    return "";
  }

  private static String setBlock(Run run, TagNode node) {
    Statement.SetBlock set = (Statement.SetBlock) statement(run, node);
    assign(run, set.target(), run.renderFiltered(node, set.filter()));
    return "";
  }

  private static String filter(Run run, TagNode node) {
    return run.renderFiltered(node, ((Statement.FilterBlock) statement(run, node)).filter());
  }

  private static String with(Run run, TagNode node) {
    Statement.With with = (Statement.With) statement(run, node);
    Scope scope = new Scope(run.scope());
    for (int i = 0; i < with.targets().size(); i++) {
      // Every value is of the outer scope, so each is evaluated before the scope is entered.
      scope.set(with.targets().get(i).name(), run.evaluator().evaluate(with.values().get(i)));
    }
    return run.render(node.getChildren(), scope);
  }

  private static String macro(Run run, TagNode node) {
    Statement.Macro macro = (Statement.Macro) statement(run, node);
    run.scope().set(macro.name(), callable(run, macro.name(), macro.parameters(), node));
    return "";
  }

  /** A macro sees the variables of where it is defined, not of where it is called. */
  private static Callable callable(
      Run run, String name, Statement.Parameters parameters, TagNode node) {
    Scope definition = run.scope();
    return arguments -> {
      Scope scope = new Scope(definition);
      List<String> names = parameters.names();
      Object caller = arguments.named().get("caller");
      if (arguments.positional().size() > names.size()) {
        throw new TemplateException(
            name
                + " takes at most "
                + names.size()
                + " arguments, not "
                + arguments.positional().size());
      }
      for (String given : arguments.named().keySet()) {
        if (!names.contains(given) && !given.equals("caller")) {
          throw new TemplateException(name + " has no argument '" + given + "'");
        }
      }
      scope.set("caller", caller == null ? new Undefined("there is no call block") : caller);
      scope.set("loop", new Undefined("'loop' is undefined"));
      Scope before = run.scope();
      int line = run.line();
      for (int i = 0; i < names.size(); i++) {
        Object value = arguments.get(i, names.get(i), null);
        if (value == null && parameters.defaults().get(i) != null) {
          run.enterScope(scope);
          value = run.evaluator().evaluate(parameters.defaults().get(i));
          run.enterScope(before);
        }
        scope.set(
            names.get(i),
            value == null
                ? new Undefined("the argument '" + names.get(i) + "' of " + name + " is missing")
                : value);
      }
      String text = run.render(node.getChildren(), scope);
      run.atLine(line);
      return text;
    };
  }

  private static String call(Run run, TagNode node) {
    Statement.CallBlock block = (Statement.CallBlock) statement(run, node);
    Callable caller = callable(run, "caller", block.parameters(), node);
    Object function = run.evaluator().evaluate(block.call().function());
    if (!(function instanceof Callable callable)) {
      throw new TemplateException("a call block calls something that is no macro");
    }
    Arguments arguments = run.evaluator().arguments(block.call().arguments());
    return Values.str(run, callable.call(arguments.withNamed("caller", caller)));
  }
}
