package io.attention4j.chat.template;

import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** The global functions of Jinja2 and of Hugging Face's chat templates. */
final class Functions {
  /** The bound of Jinja2's sandbox. */
  private static final int MAX_RANGE = 100_000;

  private Functions() {}

  static void define(Run run, Scope scope) {
    scope.set("range", (Callable) arguments -> range(run, arguments));
    scope.set("namespace", (Callable) arguments -> namespace(run, arguments));
    scope.set("dict", (Callable) arguments -> dict(run, arguments));
    scope.set("joiner", (Callable) Functions::joiner);
    scope.set("cycler", (Callable) Functions::cycler);
    scope.set(
        "raise_exception",
        (Callable)
            arguments -> {
              throw new TemplateException(
                  "it refuses this conversation: "
                      + Values.str(run, arguments.required(0, "message", "raise_exception")));
            });
    scope.set(
        "strftime_now",
        (Callable)
            arguments ->
                strftime(
                    Values.text(arguments.required(0, "format", "strftime_now"), "a date format"),
                    run.now()));
  }

  private static List<Object> range(Run run, Arguments arguments) {
    List<Object> bounds = arguments.positional();
    if (bounds.isEmpty() || bounds.size() > 3 || !arguments.named().isEmpty()) {
      throw new TemplateException("range takes 1 to 3 numbers");
    }
    long start = bounds.size() == 1 ? 0 : Values.integer(bounds.get(0), "a range's start");
    long stop = Values.integer(bounds.get(bounds.size() == 1 ? 0 : 1), "a range's stop");
    long step = bounds.size() < 3 ? 1 : Values.integer(bounds.get(2), "a range's step");
    if (step == 0) {
      throw new TemplateException("a range has the step 0");
    }
    List<Object> numbers = new ArrayList<>();
    for (long i = start; step > 0 ? i < stop : i > stop; i += step) {
      if (numbers.size() == MAX_RANGE) {
        throw new TemplateException("a range has more than " + MAX_RANGE + " numbers");
      }
      numbers.add(i);
      if (step > 0 ? i > Long.MAX_VALUE - step : i < Long.MIN_VALUE - step) {
        break;
      }
    }
    run.charge(numbers.size());
    return numbers;
  }

  private static Namespace namespace(Run run, Arguments arguments) {
    Namespace namespace = new Namespace();
    dict(run, arguments)
        .forEach(
            (key, value) ->
                namespace.attributes().put(Values.text(key, "a namespace's attribute"), value));
    return namespace;
  }

  private static Map<Object, Object> dict(Run run, Arguments arguments) {
    Map<Object, Object> map = new LinkedHashMap<>();
    for (Object value : arguments.positional()) {
      run.chargeReading(value);
      if (value instanceof Map<?, ?> other) {
        map.putAll(other);
      } else {
        for (Object pair : Values.iterate(value)) {
          List<?> keyValue = Values.iterate(pair);
          if (keyValue.size() != 2) {
            throw new TemplateException("dict takes maps and pairs");
          }
          map.put(Values.key(keyValue.get(0)), keyValue.get(1));
        }
      }
    }
    map.putAll(arguments.named());
    return map;
  }

  private static Callable joiner(Arguments arguments) {
    Object separator = arguments.get(0, "sep", ", ");
    boolean[] used = new boolean[1];
    return call -> {
      Object text = used[0] ? separator : "";
      used[0] = true;
      return text;
    };
  }

  private static Object cycler(Arguments arguments) {
    List<Object> items = List.copyOf(arguments.positional());
    if (items.isEmpty()) {
      throw new TemplateException("cycler needs an argument");
    }
    Namespace cycler = new Namespace();
    int[] at = new int[1];
    cycler.attributes().put("current", items.get(0));
    cycler
        .attributes()
        .put(
            "next",
            (Callable)
                call -> {
                  Object item = items.get(at[0]);
                  at[0] = (at[0] + 1) % items.size();
                  cycler.attributes().put("current", items.get(at[0]));
                  return item;
                });
    return cycler;
  }

  /** C's strftime in the C locale. */
  static String strftime(String format, ZonedDateTime time) {
    StringBuilder out = new StringBuilder();
    for (int i = 0; i < format.length(); i++) {
      char c = format.charAt(i);
      if (c != '%' || i + 1 == format.length()) {
        out.append(c);
        continue;
      }
      char code = format.charAt(++i);
      boolean unpadded = code == '-' && i + 1 < format.length();
      if (unpadded) {
        code = format.charAt(++i);
      }
      String pattern =
          switch (code) {
            case 'Y' -> "yyyy";
            case 'y' -> "yy";
            case 'm' -> "MM";
            case 'B' -> "MMMM";
            case 'b', 'h' -> "MMM";
            case 'd' -> "dd";
            case 'e' -> "ppd";
            case 'j' -> "DDD";
            case 'A' -> "EEEE";
            case 'a' -> "EEE";
            case 'H' -> "HH";
            case 'I' -> "hh";
            case 'M' -> "mm";
            case 'S' -> "ss";
            case 'f' -> "SSSSSS";
            case 'p' -> "a";
            case 'z' -> "xx";
            case 'Z' -> "zzz";
            case 'F' -> "yyyy-MM-dd";
            case 'D', 'x' -> "MM/dd/yy";
            case 'T', 'X' -> "HH:mm:ss";
            case 'R' -> "HH:mm";
            case 'c' -> "EEE MMM ppd HH:mm:ss yyyy";
            case '%' -> "'%'";
            case 'n' -> "'\n'";
            case 't' -> "'\t'";
            default -> throw new TemplateException("strftime_now does not know '%" + code + "'");
          };
      String text = DateTimeFormatter.ofPattern(pattern, Locale.US).format(time);
      out.append(unpadded ? text.replaceFirst("^0+(?=\\d)", "") : text);
    }
    return out.toString();
  }
}
