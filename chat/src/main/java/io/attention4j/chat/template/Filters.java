package io.attention4j.chat.template;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** Jinja2's filters on single values; those on sequences are in {@link SequenceFilters}. */
final class Filters {
  private static final Set<String> NAMES =
      Set.of(
          "trim",
          "length",
          "count",
          "upper",
          "lower",
          "title",
          "capitalize",
          "default",
          "d",
          "replace",
          "string",
          "int",
          "float",
          "round",
          "abs",
          "tojson",
          "items",
          "dictsort",
          "escape",
          "e",
          "forceescape",
          "safe",
          "indent",
          "center",
          "wordcount",
          "format",
          "attr",
          "urlencode",
          "truncate",
          "pprint");

  private Filters() {}

  static boolean exists(String name) {
    return NAMES.contains(name) || SequenceFilters.exists(name);
  }

  static void check(String name) {
    if (!exists(name)) {
      throw new TemplateException("there is no filter named '" + name + "'");
    }
  }

  static Object apply(Run run, String name, Object value, Arguments arguments) {
    run.chargeReading(value);
    if (SequenceFilters.exists(name)) {
      return SequenceFilters.apply(run, name, value, arguments);
    }
    Object result = one(run, name, value, arguments);
    run.charge(result instanceof String text ? text.length() : 1);
    return result;
  }

  private static Object one(Run run, String name, Object value, Arguments arguments) {
    return switch (name) {
      case "trim" -> {
        Object characters = arguments.only(name, "chars").get(0, "chars", None.NONE);
        yield Strings.strip(
            Values.str(run, value),
            characters == None.NONE ? null : Values.text(characters, "what is trimmed"));
      }
      case "length", "count" -> length(value);
      case "upper" -> Values.str(run, value).toUpperCase(Locale.ROOT);
      case "lower" -> Values.str(run, value).toLowerCase(Locale.ROOT);
      case "title" -> title(Values.str(run, value));
      case "capitalize" -> Strings.capitalize(Values.str(run, value));
      case "default", "d" -> {
        arguments.only(name, "default_value", "boolean");
        boolean missing =
            value instanceof Undefined
                || Values.truth(arguments.get(1, "boolean", false)) && !Values.truth(value);
        yield missing ? arguments.get(0, "default_value", "") : value;
      }
      case "replace" -> Methods.call(run, Values.str(run, value), "replace", arguments);
      case "string", "safe", "pprint" ->
          name.equals("pprint") ? Values.repr(run, value) : Values.str(run, value);
      case "int" -> integer(value, arguments.only(name, "default", "base").get(0, "default", 0L));
      case "float" -> real(value, arguments.only(name, "default").get(0, "default", 0.0));
      case "round" -> round(value, arguments);
      case "abs" ->
          value instanceof Double x
              ? (Object) Math.abs(x)
              : (Object) Math.abs(Values.integer(value, "what abs takes"));
      case "tojson" -> {
        String json = Json.of(run, value, arguments);
        run.charge(json.length());
        yield json;
      }
      case "items" -> {
        if (value instanceof Undefined) {
          yield new ArrayList<>();
        }
        yield Methods.items(mapping(value, name));
      }
      case "dictsort" -> dictSort(run, value, arguments);
      case "escape", "e", "forceescape" ->
          Values.str(run, value)
              .replace("&", "&amp;")
              .replace(">", "&gt;")
              .replace("<", "&lt;")
              .replace("'", "&#39;")
              .replace("\"", "&#34;");
      case "indent" -> indent(run, value, arguments);
      case "center" -> Strings.center(Values.str(run, value), Methods.width(arguments, name));
      case "wordcount" -> wordCount(Values.str(run, value));
      case "format" ->
          Formats.percent(run, Values.text(value, "what format takes"), arguments.positional());
      case "attr" ->
          value instanceof Map<?, ?>
              ? new Undefined("a map's keys are no attributes; write map[key]")
              : run.evaluator()
                  .attribute(
                      value, Values.text(arguments.required(0, "name", name), "an attribute"));
      case "urlencode" -> urlEncode(Values.str(run, value));
      case "truncate" -> truncate(Values.str(run, value), arguments);
      default -> throw new IllegalStateException("filter " + name + " is listed but missing");
    };
  }

  private static long length(Object value) {
    return switch (value) {
      case String text -> Strings.length(text);
      case List<?> list -> list.size();
      case Map<?, ?> map -> map.size();
      case Undefined undefined -> 0;
      default -> throw new TemplateException(Values.describe(value) + " has no length");
    };
  }

  static Map<?, ?> mapping(Object value, String filter) {
    if (value instanceof Map<?, ?> map) {
      return map;
    }
    throw new TemplateException(filter + " takes a map, not " + Values.describe(value));
  }

  /** Jinja2's own title: words begin after white space and opening brackets or a hyphen. */
  private static String title(String text) {
    StringBuilder out = new StringBuilder();
    boolean inWord = false;
    for (int c : text.codePoints().toArray()) {
      out.appendCodePoint(inWord ? Character.toLowerCase(c) : Character.toUpperCase(c));
      inWord = !Strings.isSpace(c) && "-({[<".indexOf(c) < 0;
    }
    return out.toString();
  }

  private static Object integer(Object value, Object otherwise) {
    if (value instanceof Double x) {
      return Double.isFinite(x) && Math.abs(x) < 0x1p63 ? (Object) x.longValue() : otherwise;
    }
    if (Values.isInteger(value)) {
      return Values.integer(value, "int");
    }
    if (value instanceof String text) {
      String number = Strings.strip(text, null);
      if (number.matches("[+-]?\\d{1,18}")) {
        return Long.parseLong(number);
      }
      Object real = real(value, otherwise);
      return real instanceof Double && real != otherwise ? integer(real, otherwise) : otherwise;
    }
    return otherwise;
  }

  private static Object real(Object value, Object otherwise) {
    if (Values.isNumber(value)) {
      return Values.number(value);
    }
    if (value instanceof String text) {
      String number = Strings.strip(text, null);
      if (number.matches("[+-]?(\\d+\\.?\\d*|\\.\\d+)([eE][+-]?\\d+)?")) {
        return Double.parseDouble(number);
      }
    }
    return otherwise;
  }

  private static Object round(Object value, Arguments arguments) {
    arguments.only("round", "precision", "method");
    double x = Values.number(value);
    long precision = Values.integer(arguments.get(0, "precision", 0L), "a precision");
    String method = Values.text(arguments.get(1, "method", "common"), "a rounding method");
    RoundingMode mode =
        switch (method) {
          case "common" -> RoundingMode.HALF_EVEN;
          case "ceil" -> RoundingMode.CEILING;
          case "floor" -> RoundingMode.FLOOR;
          default -> throw new TemplateException("there is no rounding method '" + method + "'");
        };
    if (!Double.isFinite(x) || Math.abs(precision) > 400) {
      return x;
    }
    BigDecimal rounded = new BigDecimal(x).setScale((int) precision, mode);
    // An integer stays one, except through ceil and floor, which compute in floats.
    return Values.isInteger(value) && method.equals("common")
        ? (Object) rounded.longValue()
        : (Object) rounded.doubleValue();
  }

  private static List<Object> dictSort(Run run, Object value, Arguments arguments) {
    arguments.only("dictsort", "case_sensitive", "by", "reverse");
    boolean sensitive = Values.truth(arguments.get(0, "case_sensitive", false));
    String by = Values.text(arguments.get(1, "by", "key"), "what dictsort sorts by");
    if (!by.equals("key") && !by.equals("value")) {
      throw new TemplateException("dictsort sorts by 'key' or 'value', not '" + by + "'");
    }
    int position = by.equals("key") ? 0 : 1;
    List<Object> items = Methods.items(mapping(value, "dictsort"));
    Comparator<Object> order =
        Comparator.comparing(
            item -> SequenceFilters.foldCase(((Tuple) item).get(position), sensitive),
            (a, b) -> Values.compare(run, a, b));
    items.sort(Values.truth(arguments.get(2, "reverse", false)) ? order.reversed() : order);
    return items;
  }

  private static String indent(Run run, Object value, Arguments arguments) {
    arguments.only("indent", "width", "first", "blank");
    Object width = arguments.get(0, "width", 4L);
    String margin =
        width instanceof String text
            ? text
            : " ".repeat(Methods.width(new Arguments(List.of(width), Map.of()), "indent"));
    boolean first = Values.truth(arguments.get(1, "first", false));
    boolean blank = Values.truth(arguments.get(2, "blank", false));
    String text = Values.str(run, value);
    run.charge((Strings.count(text, "\n") + 1) * margin.length());
    StringBuilder out = new StringBuilder();
    String[] lines = text.split("\n", -1);
    for (int i = 0; i < lines.length; i++) {
      out.append(i == 0 ? "" : "\n");
      boolean indented = i == 0 ? first : blank || !lines[i].isEmpty();
      out.append(indented ? margin : "").append(lines[i]);
    }
    return out.toString();
  }

  private static long wordCount(String text) {
    long words = 0;
    boolean inWord = false;
    for (int c : text.codePoints().toArray()) {
      boolean letter = Character.isLetterOrDigit(c) || c == '_';
      words += letter && !inWord ? 1 : 0;
      inWord = letter;
    }
    return words;
  }

  private static String urlEncode(String text) {
    StringBuilder out = new StringBuilder();
    for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
      boolean plain =
          b >= 'a' && b <= 'z'
              || b >= 'A' && b <= 'Z'
              || b >= '0' && b <= '9'
              || b > 0 && "-_.~/".indexOf(b) >= 0;
      out.append(plain ? Character.toString(b) : String.format("%%%02X", b));
    }
    return out.toString();
  }

  private static String truncate(String text, Arguments arguments) {
    arguments.only("truncate", "length", "killwords", "end", "leeway");
    long length = Values.integer(arguments.get(0, "length", 255L), "a length");
    boolean killWords = Values.truth(arguments.get(1, "killwords", false));
    String end = Values.text(arguments.get(2, "end", "..."), "the end of truncate");
    long leeway = Values.integer(arguments.get(3, "leeway", 5L), "the leeway");
    if (length < Strings.length(end) || leeway < 0) {
      throw new TemplateException("truncate to a length shorter than its end");
    }
    if (Strings.length(text) <= length + leeway) {
      return text;
    }
    String cut = text.substring(0, text.offsetByCodePoints(0, (int) length - Strings.length(end)));
    int space = killWords ? -1 : cut.lastIndexOf(' ');
    return (space < 0 ? cut : cut.substring(0, space)) + end;
  }

  /** {@code strict}: as str.join, which takes text alone; else as the filter, which prints. */
  static String join(Run run, Object items, String separator, boolean strict) {
    StringBuilder out = new StringBuilder();
    boolean first = true;
    for (Object item : Values.iterate(items)) {
      out.append(first ? "" : separator);
      out.append(strict ? Values.text(item, "what join joins") : Values.str(run, item));
      first = false;
      run.charge(separator.length() + 1);
    }
    return run.charge(out.toString());
  }

  static List<Object> reversed(List<?> list) {
    List<Object> reversed = new ArrayList<>(list);
    Collections.reverse(reversed);
    return reversed;
  }
}
