package io.attention4j.chat.template;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What Python does with any value: truth, equality, order, text. */
final class Values {
  private static final int MAX_DEPTH = 100;

  private Values() {}

  /**
   * A deep copy in template values.
   *
   * @throws TemplateException if a value is none of null, text, boolean, number, list, or map with
   *     string keys, or nests deeper than 100
   */
  static Object of(Object value) {
    return of(value, 0);
  }

  private static Object of(Object value, int depth) {
    if (depth > MAX_DEPTH) {
      throw new TemplateException("a variable nests deeper than " + MAX_DEPTH);
    }
    return switch (value) {
      case null -> None.NONE;
      case String text -> text;
      case Boolean truth -> truth;
      case Integer n -> n.longValue();
      case Long n -> n;
      case Short n -> n.longValue();
      case Byte n -> n.longValue();
      case Float x -> (double) x;
      case Double x -> x;
      case BigDecimal x -> x.doubleValue();
      case BigInteger n when n.bitLength() < Long.SIZE -> n.longValue();
      case List<?> list -> {
        List<Object> copy = new ArrayList<>(list.size());
        for (Object item : list) {
          copy.add(of(item, depth + 1));
        }
        yield copy;
      }
      case Map<?, ?> map -> {
        Map<Object, Object> copy = new LinkedHashMap<>();
        for (Map.Entry<?, ?> entry : map.entrySet()) {
          if (!(entry.getKey() instanceof String key)) {
            throw new TemplateException("a map has the key " + entry.getKey() + "; keys are text");
          }
          copy.put(key, of(entry.getValue(), depth + 1));
        }
        yield copy;
      }
      default ->
          throw new TemplateException(
              "a variable holds a "
                  + value.getClass().getName()
                  + "; variables are null, text, booleans, 64-bit numbers, lists and maps");
    };
  }

  static boolean truth(Object value) {
    return switch (value) {
      case Boolean truth -> truth;
      case None none -> false;
      case Undefined undefined -> false;
      case String text -> !text.isEmpty();
      case Long n -> n != 0;
      case Double x -> x != 0;
      case List<?> list -> !list.isEmpty();
      case Map<?, ?> map -> !map.isEmpty();
      default -> true;
    };
  }

  static boolean isNumber(Object value) {
    return value instanceof Long || value instanceof Double || value instanceof Boolean;
  }

  /** Whether the value is an integer to Python, for which booleans are. */
  static boolean isInteger(Object value) {
    return value instanceof Long || value instanceof Boolean;
  }

  static long integer(Object value, String what) {
    return switch (value) {
      case Long n -> n;
      case Boolean truth -> truth ? 1 : 0;
      default -> throw new TemplateException(what + " must be an integer, not " + describe(value));
    };
  }

  static double number(Object value) {
    return value instanceof Double x ? x : integer(value, "an operand");
  }

  static String text(Object value, String what) {
    if (value instanceof String text) {
      return text;
    }
    throw new TemplateException(what + " must be text, not " + describe(value));
  }

  /** The value's kind in Python's words, for messages. */
  static String describe(Object value) {
    return switch (value) {
      case None none -> "None";
      case Undefined undefined -> "an undefined value (" + undefined.reason() + ")";
      case String text -> "text";
      case Boolean truth -> "a boolean";
      case Long n -> "an integer";
      case Double x -> "a float";
      case Tuple tuple -> "a tuple";
      case List<?> list -> "a list";
      case Map<?, ?> map -> "a map";
      case Namespace namespace -> "a namespace";
      default -> "a function";
    };
  }

  static boolean equal(Run run, Object a, Object b) {
    run.charge(a instanceof String x && b instanceof String ? 4L + x.length() : 4L);
    if (isNumber(a) && isNumber(b)) {
      return isInteger(a) && isInteger(b)
          ? integer(a, "a") == integer(b, "b")
          : number(a) == number(b);
    }
    if (a instanceof Undefined && b instanceof Undefined) {
      return true;
    }
    if (a instanceof List<?> x && b instanceof List<?> y) {
      if (x.size() != y.size() || x instanceof Tuple != y instanceof Tuple) {
        return false;
      }
      for (int i = 0; i < x.size(); i++) {
        if (!equal(run, x.get(i), y.get(i))) {
          return false;
        }
      }
      return true;
    }
    if (a instanceof Map<?, ?> x && b instanceof Map<?, ?> y) {
      return x.size() == y.size()
          && x.entrySet().stream()
              .allMatch(
                  e -> y.containsKey(e.getKey()) && equal(run, e.getValue(), y.get(e.getKey())));
    }
    return a.equals(b);
  }

  /** Order of two numbers, two texts or two lists; anything else is an error, as in Python. */
  static int compare(Run run, Object a, Object b) {
    run.charge(a instanceof String x && b instanceof String ? 4L + x.length() : 4L);
    if (isNumber(a) && isNumber(b)) {
      return isInteger(a) && isInteger(b)
          ? Long.compare(integer(a, "a"), integer(b, "b"))
          : Double.compare(number(a) + 0.0, number(b) + 0.0);
    }
    if (a instanceof String x && b instanceof String y) {
      return compareCodePoints(x, y);
    }
    if (a instanceof List<?> x && b instanceof List<?> y) {
      for (int i = 0; i < Math.min(x.size(), y.size()); i++) {
        int order = equal(run, x.get(i), y.get(i)) ? 0 : compare(run, x.get(i), y.get(i));
        if (order != 0) {
          return order;
        }
      }
      return Integer.compare(x.size(), y.size());
    }
    throw new TemplateException(describe(a) + " and " + describe(b) + " have no order");
  }

  private static int compareCodePoints(String x, String y) {
    int i = 0;
    while (i < x.length() && i < y.length()) {
      int a = x.codePointAt(i);
      int b = y.codePointAt(i);
      if (a != b) {
        return Integer.compare(a, b);
      }
      i += Character.charCount(a);
    }
    return Integer.compare(x.length(), y.length());
  }

  static boolean contains(Run run, Object container, Object item) {
    return switch (container) {
      case String text -> {
        run.charge(text.length());
        yield text.contains(text(item, "what is looked for in text"));
      }
      case List<?> list -> list.stream().anyMatch(x -> equal(run, x, item));
      case Map<?, ?> map -> map.containsKey(key(item));
      case Undefined undefined -> false;
      default -> throw new TemplateException("'in' cannot look into " + describe(container));
    };
  }

  /** A map key, hashed in bounded time; 1, 1.0 and True are one key to Python. */
  static Object key(Object value) {
    boolean scalars =
        value instanceof Tuple tuple
            ? tuple.stream().noneMatch(x -> x instanceof List<?> || x instanceof Map<?, ?>)
            : !(value instanceof List<?>) && !(value instanceof Map<?, ?>);
    if (!scalars || value instanceof Undefined) {
      throw new TemplateException(describe(value) + " cannot be a key");
    }
    if (value instanceof Boolean truth) {
      return truth ? 1L : 0L;
    }
    return value instanceof Double x && x == Math.rint(x) && Math.abs(x) < 1e15
        ? (Object) x.longValue()
        : value;
  }

  static List<?> iterate(Object value) {
    return switch (value) {
      case List<?> list -> list;
      case String text -> Strings.characters(text);
      case Map<?, ?> map -> new ArrayList<>(map.keySet());
      case Undefined undefined -> List.of();
      default -> throw new TemplateException(describe(value) + " cannot be iterated over");
    };
  }

  /** Python's str(). */
  static String str(Run run, Object value) {
    return switch (value) {
      case String text -> text;
      case Undefined undefined -> "";
      default -> repr(run, value);
    };
  }

  /** Python's repr(). */
  static String repr(Run run, Object value) {
    StringBuilder out = new StringBuilder();
    repr(run, value, out, 0);
    return out.toString();
  }

  private static void repr(Run run, Object value, StringBuilder out, int depth) {
    run.charge(value instanceof String text ? 8L + 8L * text.length() : 8);
    if (depth > MAX_DEPTH) {
      throw new TemplateException("a printed value nests deeper than " + MAX_DEPTH);
    }
    switch (value) {
      case String text -> reprText(text, out);
      case None none -> out.append("None");
      case Undefined undefined -> out.append("Undefined");
      case Boolean truth -> out.append(truth ? "True" : "False");
      case Long n -> out.append(n);
      case Double x -> out.append(reprDouble(x));
      case List<?> list -> {
        boolean tuple = list instanceof Tuple;
        out.append(tuple ? '(' : '[');
        for (int i = 0; i < list.size(); i++) {
          out.append(i == 0 ? "" : ", ");
          repr(run, list.get(i), out, depth + 1);
        }
        out.append(tuple && list.size() == 1 ? "," : "").append(tuple ? ')' : ']');
      }
      case Map<?, ?> map -> {
        out.append('{');
        String separator = "";
        for (Map.Entry<?, ?> entry : map.entrySet()) {
          out.append(separator);
          repr(run, entry.getKey(), out, depth + 1);
          out.append(": ");
          repr(run, entry.getValue(), out, depth + 1);
          separator = ", ";
        }
        out.append('}');
      }
      default ->
          throw new TemplateException(describe(value) + " has no text; was it to be called?");
    }
  }

  private static void reprText(String text, StringBuilder out) {
    char quote = text.indexOf('\'') >= 0 && text.indexOf('"') < 0 ? '"' : '\'';
    out.append(quote);
    text.codePoints()
        .forEach(
            c -> {
              switch (c) {
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                case '\\' -> out.append("\\\\");
                default -> {
                  if (c == quote) {
                    out.append('\\').append(quote);
                  } else if (printable(c)) {
                    out.appendCodePoint(c);
                  } else {
                    out.append(
                        String.format(
                            c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x", c));
                  }
                }
              }
            });
    out.append(quote);
  }

  private static boolean printable(int c) {
    return switch (Character.getType(c)) {
      case Character.CONTROL,
          Character.FORMAT,
          Character.SURROGATE,
          Character.PRIVATE_USE,
          Character.UNASSIGNED,
          Character.LINE_SEPARATOR,
          Character.PARAGRAPH_SEPARATOR ->
          false;
      case Character.SPACE_SEPARATOR -> c == ' ';
      default -> true;
    };
  }

  /** The shortest digits that give the value back, written as Python writes them. */
  static String reprDouble(double x) {
    if (Double.isNaN(x)) {
      return "nan";
    }
    if (Double.isInfinite(x)) {
      return x > 0 ? "inf" : "-inf";
    }
    if (x == 0) {
      return 1 / x < 0 ? "-0.0" : "0.0";
    }
    BigDecimal shortest = new BigDecimal(Double.toString(Math.abs(x))).stripTrailingZeros();
    String digits = shortest.unscaledValue().toString();
    int exponent = digits.length() - shortest.scale() - 1;
    String sign = x < 0 ? "-" : "";
    if (exponent < -4 || exponent >= 16) {
      String fraction = digits.length() > 1 ? "." + digits.substring(1) : "";
      return String.format(
          "%s%s%se%s%02d",
          sign, digits.charAt(0), fraction, exponent < 0 ? "-" : "+", Math.abs(exponent));
    }
    String plain = shortest.toPlainString();
    return sign + (plain.indexOf('.') < 0 ? plain + ".0" : plain);
  }
}
