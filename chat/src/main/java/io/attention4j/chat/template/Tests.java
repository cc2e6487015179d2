package io.attention4j.chat.template;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** Jinja2's tests: {@code x is name}. */
final class Tests {
  private static final Set<String> NAMES =
      Set.of(
          "defined",
          "undefined",
          "none",
          "string",
          "mapping",
          "iterable",
          "sequence",
          "number",
          "integer",
          "float",
          "boolean",
          "true",
          "false",
          "callable",
          "odd",
          "even",
          "divisibleby",
          "equalto",
          "eq",
          "==",
          "ne",
          "!=",
          "lt",
          "lessthan",
          "<",
          "le",
          "<=",
          "gt",
          "greaterthan",
          ">",
          "ge",
          ">=",
          "in",
          "sameas",
          "lower",
          "upper",
          "escaped",
          "filter",
          "test");

  private Tests() {}

  static boolean exists(String name) {
    return NAMES.contains(name);
  }

  static void check(String name) {
    if (!exists(name)) {
      throw new TemplateException("there is no test named '" + name + "'");
    }
  }

  static boolean apply(Run run, String name, Object value, Arguments arguments) {
    run.chargeReading(value);
    return switch (name) {
      case "defined" -> !(value instanceof Undefined);
      case "undefined" -> value instanceof Undefined;
      case "none" -> value == None.NONE;
      case "string" -> value instanceof String;
      case "mapping" -> value instanceof Map<?, ?>;
      case "iterable", "sequence" ->
          value instanceof String
              || value instanceof List<?>
              || value instanceof Map<?, ?>
              || value instanceof Undefined;
      case "number" -> Values.isNumber(value);
      case "integer" -> value instanceof Long;
      case "float" -> value instanceof Double;
      case "boolean" -> value instanceof Boolean;
      case "true" -> Boolean.TRUE.equals(value);
      case "false" -> Boolean.FALSE.equals(value);
      case "callable" -> value instanceof Callable;
      case "odd" -> Math.floorMod(Values.integer(value, "what is odd"), 2L) == 1;
      case "even" -> Math.floorMod(Values.integer(value, "what is even"), 2L) == 0;
      case "divisibleby" -> {
        long divisor = Values.integer(argument(arguments, name), "a divisor");
        if (divisor == 0) {
          throw new TemplateException("a number is divided by zero");
        }
        yield Values.integer(value, "what is divisible") % divisor == 0;
      }
      case "equalto", "eq", "==" -> run.evaluator().compare("==", value, argument(arguments, name));
      case "ne", "!=" -> run.evaluator().compare("!=", value, argument(arguments, name));
      case "lt", "lessthan", "<" -> run.evaluator().compare("<", value, argument(arguments, name));
      case "le", "<=" -> run.evaluator().compare("<=", value, argument(arguments, name));
      case "gt", "greaterthan", ">" ->
          run.evaluator().compare(">", value, argument(arguments, name));
      case "ge", ">=" -> run.evaluator().compare(">=", value, argument(arguments, name));
      case "in" -> run.evaluator().compare("in", value, argument(arguments, name));
      case "sameas" -> {
        Object other = argument(arguments, name);
        yield value.getClass() == other.getClass() && Values.equal(run, value, other);
      }
      case "lower" -> {
        String text = Values.str(run, value);
        yield text.equals(text.toLowerCase(Locale.ROOT))
            && text.codePoints().anyMatch(Character::isLowerCase);
      }
      case "upper" -> {
        String text = Values.str(run, value);
        yield text.equals(text.toUpperCase(Locale.ROOT))
            && text.codePoints().anyMatch(Character::isUpperCase);
      }
      case "escaped" -> false;
      case "filter" -> Filters.exists(Values.text(value, "a filter's name"));
      case "test" -> exists(Values.text(value, "a test's name"));
      default -> throw new IllegalStateException("test " + name + " is listed but missing");
    };
  }

  private static Object argument(Arguments arguments, String test) {
    return arguments.required(0, "other", "the test " + test);
  }
}
