package io.attention4j.chat.template;

import io.attention4j.chat.template.Expression.CallArguments;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Evaluates expressions with Python's meaning, within one {@link Run}. */
final class Evaluator {
  private final Run run;

  Evaluator(Run run) {
    this.run = run;
  }

  boolean truth(Expression expression) {
    return Values.truth(evaluate(expression));
  }

  Object evaluate(Expression expression) {
    run.enter();
    Object value =
        switch (expression) {
          case Expression.Constant constant -> constant.value();
          case Expression.Name name -> run.scope().get(name.name());
          case Expression.ListDisplay list -> evaluateAll(list.items());
          case Expression.TupleDisplay tuple -> new Tuple(evaluateAll(tuple.items()));
          case Expression.MapDisplay map -> map(map);
          case Expression.Attribute attribute ->
              attribute(evaluate(attribute.base()), attribute.name());
          case Expression.Item item -> item(item);
          case Expression.Slice slice -> throw new TemplateException("a slice stands alone");
          case Expression.Call call -> call(call);
          case Expression.Filter filter ->
              Filters.apply(
                  run,
                  filter.name(),
                  filter.base() == null ? run.blockBody() : evaluate(filter.base()),
                  arguments(filter.arguments()));
          case Expression.Test test ->
              Tests.apply(run, test.name(), evaluate(test.base()), arguments(test.arguments()));
          case Expression.Not not -> !truth(not.operand());
          case Expression.Negate negate -> negate(evaluate(negate.operand()));
          case Expression.Plus plus -> plus(evaluate(plus.operand()));
          case Expression.And and -> {
            Object left = evaluate(and.left());
            yield Values.truth(left) ? evaluate(and.right()) : left;
          }
          case Expression.Or or -> {
            Object left = evaluate(or.left());
            yield Values.truth(left) ? left : evaluate(or.right());
          }
          case Expression.Binary binary ->
              binary(binary.operator(), evaluate(binary.left()), evaluate(binary.right()));
          case Expression.Comparison comparison -> compare(comparison);
          case Expression.Concatenation concatenation -> concatenate(concatenation);
          case Expression.Conditional conditional -> {
            if (truth(conditional.condition())) {
              yield evaluate(conditional.then());
            }
            yield conditional.otherwise() == null
                ? new Undefined("the conditional expression has no else")
                : evaluate(conditional.otherwise());
          }
        };
    run.leave();
    return value;
  }

  private List<Object> evaluateAll(List<Expression> expressions) {
    List<Object> values = new ArrayList<>();
    for (Expression expression : expressions) {
      values.add(evaluate(expression));
    }
    return values;
  }

  private Map<Object, Object> map(Expression.MapDisplay display) {
    Map<Object, Object> map = new LinkedHashMap<>();
    for (int i = 0; i < display.keys().size(); i++) {
      map.put(Values.key(evaluate(display.keys().get(i))), evaluate(display.values().get(i)));
    }
    return map;
  }

  Arguments arguments(CallArguments arguments) {
    if (arguments == CallArguments.NONE) {
      return Arguments.NONE;
    }
    List<Object> positional = evaluateAll(arguments.positional());
    if (arguments.starred() != null) {
      positional.addAll(Values.iterate(evaluate(arguments.starred())));
    }
    Map<String, Object> named = new LinkedHashMap<>();
    for (int i = 0; i < arguments.names().size(); i++) {
      named.put(arguments.names().get(i), evaluate(arguments.named().get(i)));
    }
    if (arguments.doubleStarred() != null) {
      if (!(evaluate(arguments.doubleStarred()) instanceof Map<?, ?> map)) {
        throw new TemplateException("what follows ** must be a map");
      }
      map.forEach((k, v) -> named.put(Values.text(k, "an argument's name"), v));
    }
    return new Arguments(positional, named);
  }

  private Object call(Expression.Call call) {
    if (call.function() instanceof Expression.Attribute attribute) {
      Object base = evaluate(attribute.base());
      Arguments arguments = arguments(call.arguments());
      if (Methods.exists(base, attribute.name())) {
        return Methods.call(run, base, attribute.name(), arguments);
      }
      return callValue(attribute(base, attribute.name()), arguments);
    }
    return callValue(evaluate(call.function()), arguments(call.arguments()));
  }

  private static Object callValue(Object function, Arguments arguments) {
    if (function instanceof Callable callable) {
      return callable.call(arguments);
    }
    if (function instanceof Undefined undefined) {
      throw new TemplateException(undefined.reason());
    }
    throw new TemplateException(Values.describe(function) + " cannot be called");
  }

  /** {@code base.name}: a method, then a key. */
  Object attribute(Object base, String name) {
    if (base instanceof Undefined undefined) {
      throw new TemplateException(undefined.reason());
    }
    if (base instanceof Namespace namespace) {
      Object value = namespace.attributes().get(name);
      return value == null ? missing(base, name) : value;
    }
    if (base instanceof Loop loop) {
      Object value = loop.attribute(name);
      return value == null ? missing(base, name) : value;
    }
    if (Methods.exists(base, name)) {
      return (Callable) arguments -> Methods.call(run, base, name, arguments);
    }
    if (base instanceof Map<?, ?> map && map.containsKey(name)) {
      return map.get(name);
    }
    return missing(base, name);
  }

  private Undefined missing(Object base, Object name) {
    return new Undefined(Values.describe(base) + " has no '" + Values.str(run, name) + "'");
  }

  private Object item(Expression.Item item) {
    Object base = evaluate(item.base());
    if (base instanceof Undefined undefined) {
      throw new TemplateException(undefined.reason());
    }
    if (item.index() instanceof Expression.Slice slice) {
      return slice(base, slice);
    }
    return item(base, evaluate(item.index()));
  }

  /** {@code base[index]}: a key or index, then an attribute. */
  Object item(Object base, Object index) {
    if (base instanceof Map<?, ?> map) {
      if (!(index instanceof Undefined) && map.containsKey(Values.key(index))) {
        return map.get(Values.key(index));
      }
    } else if (base instanceof List<?> list && Values.isInteger(index)) {
      long i = Values.integer(index, "an index");
      i = i < 0 ? i + list.size() : i;
      return i >= 0 && i < list.size() ? list.get((int) i) : missing(base, index);
    } else if (base instanceof String text && Values.isInteger(index)) {
      run.charge(8L * text.length());
      return item((Object) Strings.characters(text), index) instanceof String character
          ? character
          : missing(base, index);
    }
    return index instanceof String name ? attribute(base, name) : missing(base, index);
  }

  private Object slice(Object base, Expression.Slice slice) {
    boolean text = base instanceof String;
    if (!text && !(base instanceof List<?>)) {
      throw new TemplateException(Values.describe(base) + " cannot be sliced");
    }
    run.chargeReading(base);
    List<?> items = Values.iterate(base);
    long step = bound(slice.step(), 1);
    if (step == 0) {
      throw new TemplateException("a slice has the step 0");
    }
    int size = items.size();
    long least = step > 0 ? 0 : -1;
    long most = step > 0 ? size : size - 1;
    long start = clamp(bound(slice.start(), step > 0 ? 0 : Long.MAX_VALUE), size, least, most);
    long stop =
        slice.stop() == null || evaluate(slice.stop()) == None.NONE
            ? step > 0 ? size : -1
            : clamp(bound(slice.stop(), 0), size, least, most);
    List<Object> taken = new ArrayList<>();
    for (long i = start; step > 0 ? i < stop : i > stop; i += step) {
      taken.add(items.get((int) i));
    }
    run.charge(taken.size());
    if (text) {
      StringBuilder joined = new StringBuilder();
      taken.forEach(joined::append);
      return joined.toString();
    }
    return base instanceof Tuple ? new Tuple(taken) : taken;
  }

  private long bound(Expression expression, long otherwise) {
    if (expression == null) {
      return otherwise;
    }
    Object value = evaluate(expression);
    if (value == None.NONE) {
      return otherwise;
    }
    long bound = Values.integer(value, "a slice's bound");
    // Anything beyond an int behaves like the int's end; so no sum below can overflow.
    return Math.max(-Integer.MAX_VALUE, Math.min(Integer.MAX_VALUE, bound));
  }

  private static long clamp(long bound, int size, long least, long most) {
    long index = bound < 0 ? bound + size : bound;
    return Math.max(least, Math.min(most, index));
  }

  private static Object negate(Object value) {
    return value instanceof Double x
        ? (Object) (-x)
        : (Object) exact(() -> Math.negateExact(Values.integer(value, "what '-' negates")));
  }

  private static Object plus(Object value) {
    return value instanceof Double ? value : (Object) Values.integer(value, "what '+' precedes");
  }

  private interface LongOperation {
    long run();
  }

  private static long exact(LongOperation operation) {
    try {
      return operation.run();
    } catch (ArithmeticException e) {
      throw new TemplateException("an integer does not fit 64 bits");
    }
  }

  Object binary(String operator, Object a, Object b) {
    if (a instanceof Undefined undefined) {
      throw new TemplateException(undefined.reason());
    }
    if (b instanceof Undefined undefined) {
      throw new TemplateException(undefined.reason());
    }
    if (operator.equals("+")) {
      if (a instanceof String x && b instanceof String y) {
        return run.charge(x.concat(y));
      }
      if (a instanceof List<?> x
          && b instanceof List<?> y
          && x instanceof Tuple == y instanceof Tuple) {
        run.charge(x.size() + y.size());
        List<Object> both = new ArrayList<>(x);
        both.addAll(y);
        return a instanceof Tuple ? new Tuple(both) : both;
      }
    } else if (operator.equals("*") && (repeats(a, b) || repeats(b, a))) {
      return repeats(a, b) ? repeat(a, b) : repeat(b, a);
    } else if (operator.equals("%") && a instanceof String pattern) {
      return run.charge(
          Formats.percent(
              run, pattern, b instanceof Tuple ? (List<?>) b : Collections.singletonList(b)));
    }
    if (!Values.isNumber(a) || !Values.isNumber(b)) {
      throw new TemplateException(
          "'" + operator + "' cannot join " + Values.describe(a) + " and " + Values.describe(b));
    }
    return Values.isInteger(a) && Values.isInteger(b)
        ? integers(operator, Values.integer(a, "a"), Values.integer(b, "b"))
        : (Object) doubles(operator, Values.number(a), Values.number(b));
  }

  private static boolean repeats(Object sequence, Object count) {
    return (sequence instanceof String || sequence instanceof List<?>) && Values.isInteger(count);
  }

  private Object repeat(Object sequence, Object count) {
    long n = Math.max(0, Values.integer(count, "a count"));
    if (sequence instanceof String text) {
      run.charge(exact(() -> Math.multiplyExact(n, (long) text.length())));
      return text.repeat(text.isEmpty() ? 0 : (int) n);
    }
    List<?> list = (List<?>) sequence;
    run.charge(exact(() -> Math.multiplyExact(n, (long) list.size())));
    List<Object> repeated = new ArrayList<>();
    for (long i = 0; i < n && !list.isEmpty(); i++) {
      repeated.addAll(list);
    }
    return list instanceof Tuple ? new Tuple(repeated) : repeated;
  }

  private static Object integers(String operator, long a, long b) {
    if (b == 0 && (operator.equals("/") || operator.equals("//") || operator.equals("%"))) {
      throw new TemplateException("a number is divided by zero");
    }
    return switch (operator) {
      case "+" -> exact(() -> Math.addExact(a, b));
      case "-" -> exact(() -> Math.subtractExact(a, b));
      case "*" -> exact(() -> Math.multiplyExact(a, b));
      case "/" -> (double) a / b;
      case "//" -> exact(() -> Math.floorDivExact(a, b));
      case "%" -> Math.floorMod(a, b);
      default -> b < 0 ? (Object) Math.pow(a, b) : (Object) exact(() -> power(a, b));
    };
  }

  private static long power(long base, long exponent) {
    if (base == 0 || base == 1 || base == -1) {
      return exponent == 0 ? 1 : base == -1 && exponent % 2 == 0 ? 1 : base;
    }
    long result = 1;
    for (long i = 0; i < exponent; i++) {
      result = Math.multiplyExact(result, base); // overflows within 63 steps
    }
    return result;
  }

  private static double doubles(String operator, double a, double b) {
    if (b == 0 && (operator.equals("/") || operator.equals("//") || operator.equals("%"))) {
      throw new TemplateException("a number is divided by zero");
    }
    return switch (operator) {
      case "+" -> a + b;
      case "-" -> a - b;
      case "*" -> a * b;
      case "/" -> a / b;
      case "//" -> Math.floor(a / b);
      case "%" -> a - b * Math.floor(a / b);
      default -> Math.pow(a, b);
    };
  }

  private boolean compare(Expression.Comparison comparison) {
    Object left = evaluate(comparison.first());
    for (int i = 0; i < comparison.operators().size(); i++) {
      Object right = evaluate(comparison.operands().get(i));
      if (!compare(comparison.operators().get(i), left, right)) {
        return false;
      }
      left = right;
    }
    return true;
  }

  boolean compare(String operator, Object left, Object right) {
    return switch (operator) {
      case "==" -> Values.equal(run, left, right);
      case "!=" -> !Values.equal(run, left, right);
      case "in" -> Values.contains(run, right, left);
      case "not in" -> !Values.contains(run, right, left);
      default -> {
        if (left instanceof Double x && x.isNaN() || right instanceof Double y && y.isNaN()) {
          yield false;
        }
        int order = Values.compare(run, left, right);
        yield switch (operator) {
          case "<" -> order < 0;
          case "<=" -> order <= 0;
          case ">" -> order > 0;
          default -> order >= 0;
        };
      }
    };
  }

  private String concatenate(Expression.Concatenation concatenation) {
    StringBuilder text = new StringBuilder();
    for (Expression part : concatenation.parts()) {
      text.append(Values.str(run, evaluate(part)));
      run.charge(text.length());
    }
    return text.toString();
  }
}
