package io.attention4j.chat.template;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.IntPredicate;

/** The methods of Python's str, dict and list that change nothing. */
final class Methods {
  private static final Set<String> TEXT =
      Set.of(
          "strip",
          "lstrip",
          "rstrip",
          "split",
          "rsplit",
          "splitlines",
          "startswith",
          "endswith",
          "replace",
          "upper",
          "lower",
          "title",
          "capitalize",
          "swapcase",
          "casefold",
          "find",
          "rfind",
          "index",
          "count",
          "join",
          "format",
          "isdigit",
          "isalpha",
          "isalnum",
          "isspace",
          "isupper",
          "islower",
          "isnumeric",
          "isdecimal",
          "removeprefix",
          "removesuffix",
          "partition",
          "rpartition",
          "center",
          "ljust",
          "rjust",
          "zfill");
  private static final Set<String> MAP = Set.of("items", "keys", "values", "get", "copy");
  private static final Set<String> LIST = Set.of("index", "count", "copy");

  private static final int MAX_WIDTH = 10_000;

  private Methods() {}

  static boolean exists(Object base, String name) {
    return switch (base) {
      case String text -> TEXT.contains(name);
      case Map<?, ?> map -> MAP.contains(name);
      case List<?> list -> LIST.contains(name);
      default -> false;
    };
  }

  static Object call(Run run, Object base, String name, Arguments arguments) {
    return switch (base) {
      case String text -> {
        run.chargeReading(text);
        Object result = text(run, text, name, arguments);
        run.chargeReading(result);
        yield result;
      }
      case Map<?, ?> map -> {
        run.charge(map.size());
        yield map(map, name, arguments);
      }
      case List<?> list -> {
        run.charge(list.size());
        yield list(run, list, name, arguments);
      }
      default -> throw new TemplateException(Values.describe(base) + " has no methods");
    };
  }

  private static Object map(Map<?, ?> map, String name, Arguments arguments) {
    return switch (name) {
      case "items" -> items(map);
      case "keys" -> new ArrayList<Object>(map.keySet());
      case "values" -> new ArrayList<Object>(map.values());
      case "get" -> {
        arguments.only("get", "key", "default");
        Object value = map.get(Values.key(arguments.required(0, "key", "get")));
        yield value == null ? arguments.get(1, "default", None.NONE) : value;
      }
      default -> new LinkedHashMap<Object, Object>(map);
    };
  }

  static List<Object> items(Map<?, ?> map) {
    List<Object> items = new ArrayList<>();
    map.forEach((key, value) -> items.add(new Tuple(List.of(key, value))));
    return items;
  }

  private static Object list(Run run, List<?> list, String name, Arguments arguments) {
    switch (name) {
      case "copy" -> {
        return new ArrayList<Object>(list);
      }
      case "count" -> {
        Object value = arguments.required(0, "value", "count");
        return list.stream().filter(x -> Values.equal(run, x, value)).count();
      }
      default -> {
        Object value = arguments.required(0, "value", "index");
        for (int i = 0; i < list.size(); i++) {
          if (Values.equal(run, list.get(i), value)) {
            return (long) i;
          }
        }
        throw new TemplateException("index does not find its value in the list");
      }
    }
  }

  private static Object text(Run run, String text, String name, Arguments arguments) {
    return switch (name) {
      case "strip" -> Strings.strip(text, characters(arguments));
      case "lstrip" -> Strings.lstrip(text, characters(arguments));
      case "rstrip" -> Strings.rstrip(text, characters(arguments));
      case "split", "rsplit" -> {
        arguments.only(name, "sep", "maxsplit");
        Object separator = arguments.get(0, "sep", None.NONE);
        String sep = separator == None.NONE ? null : Values.text(separator, "a separator");
        long max = Values.integer(arguments.get(1, "maxsplit", -1L), "maxsplit");
        yield name.equals("split") ? Strings.split(text, sep, max) : Strings.rsplit(text, sep, max);
      }
      case "splitlines" -> Strings.splitLines(text);
      case "startswith", "endswith" -> {
        Object affix = arguments.only(name, "affix").required(0, "affix", name);
        List<?> affixes = affix instanceof Tuple tuple ? tuple : List.of(affix);
        yield affixes.stream()
            .map(x -> Values.text(x, "the argument of " + name))
            .anyMatch(x -> name.equals("startswith") ? text.startsWith(x) : text.endsWith(x));
      }
      case "replace" -> {
        arguments.only(name, "old", "new", "count");
        String old = part(arguments, 0, "old", name);
        String with = part(arguments, 1, "new", name);
        long count = Values.integer(arguments.get(2, "count", -1L), "count");
        run.charge((Strings.count(text, old) + 1) * with.length());
        yield Strings.replace(text, old, with, count);
      }
      case "upper" -> text.toUpperCase(Locale.ROOT);
      case "lower", "casefold" -> text.toLowerCase(Locale.ROOT);
      case "title" -> Strings.title(text);
      case "capitalize" -> Strings.capitalize(text);
      case "swapcase" -> Strings.swapCase(text);
      case "find" -> Strings.codePointIndex(text, text.indexOf(part(arguments, 0, "sub", name)));
      case "rfind" ->
          Strings.codePointIndex(text, text.lastIndexOf(part(arguments, 0, "sub", name)));
      case "index" -> {
        int at = text.indexOf(part(arguments, 0, "sub", name));
        if (at < 0) {
          throw new TemplateException("index does not find its text");
        }
        yield Strings.codePointIndex(text, at);
      }
      case "count" -> Strings.count(text, part(arguments, 0, "sub", name));
      case "join" -> Filters.join(run, arguments.required(0, "iterable", name), text, true);
      case "format" -> Formats.braces(run, text, arguments);
      case "isdigit", "isnumeric", "isdecimal" -> all(text, Character::isDigit);
      case "isalpha" -> all(text, Character::isLetter);
      case "isalnum" -> all(text, Character::isLetterOrDigit);
      case "isspace" -> all(text, Strings::isSpace);
      case "isupper" ->
          text.equals(text.toUpperCase(Locale.ROOT))
              && text.codePoints().anyMatch(Character::isUpperCase);
      case "islower" ->
          text.equals(text.toLowerCase(Locale.ROOT))
              && text.codePoints().anyMatch(Character::isLowerCase);
      case "removeprefix" -> {
        String prefix = part(arguments, 0, "prefix", name);
        yield text.startsWith(prefix) ? text.substring(prefix.length()) : text;
      }
      case "removesuffix" -> {
        String suffix = part(arguments, 0, "suffix", name);
        yield text.endsWith(suffix) ? text.substring(0, text.length() - suffix.length()) : text;
      }
      case "partition" -> {
        String separator = Strings.checkSeparator(part(arguments, 0, "sep", name));
        int at = text.indexOf(separator);
        yield at < 0 ? triple(text, "", "") : around(text, at, separator);
      }
      case "rpartition" -> {
        String separator = Strings.checkSeparator(part(arguments, 0, "sep", name));
        int at = text.lastIndexOf(separator);
        yield at < 0 ? triple("", "", text) : around(text, at, separator);
      }
      case "center" -> Strings.center(text, width(arguments, name));
      case "ljust" -> text + " ".repeat(Math.max(0, width(arguments, name) - Strings.length(text)));
      case "rjust" -> " ".repeat(Math.max(0, width(arguments, name) - Strings.length(text))) + text;
      case "zfill" -> {
        String sign = text.startsWith("-") || text.startsWith("+") ? text.substring(0, 1) : "";
        yield sign
            + "0".repeat(Math.max(0, width(arguments, name) - Strings.length(text)))
            + text.substring(sign.length());
      }
      default -> throw new IllegalStateException("method " + name + " is listed but missing");
    };
  }

  private static String characters(Arguments arguments) {
    Object characters = arguments.only("strip", "chars").get(0, "chars", None.NONE);
    return characters == None.NONE ? null : Values.text(characters, "what is stripped");
  }

  private static String part(Arguments arguments, int index, String name, String method) {
    return Values.text(
        arguments.required(index, name, method), "the argument '" + name + "' of " + method);
  }

  static int width(Arguments arguments, String function) {
    long width = Values.integer(arguments.get(0, "width", 80L), "a width");
    if (width > MAX_WIDTH) {
      throw new TemplateException(function + " to more than " + MAX_WIDTH + " columns");
    }
    return (int) Math.max(0, width);
  }

  private static boolean all(String text, IntPredicate test) {
    return !text.isEmpty() && text.codePoints().allMatch(test);
  }

  private static Tuple around(String text, int at, String separator) {
    return triple(text.substring(0, at), separator, text.substring(at + separator.length()));
  }

  private static Tuple triple(String a, String b, String c) {
    return new Tuple(List.of(a, b, c));
  }
}
