package io.attention4j.chat.template;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;

/**
 * Python's json.dumps, byte for byte: its separators, its floats, its indentation. (Jackson writes
 * the same values with other text, and a prompt is its text.)
 */
final class Json {
  private static final int MAX_DEPTH = 100;

  private final Run run;
  private final boolean ascii;
  private final String indent;
  private final String itemSeparator;
  private final String keySeparator;
  private final boolean sortKeys;
  private final StringBuilder out = new StringBuilder();

  private Json(
      Run run,
      boolean ascii,
      String indent,
      String itemSeparator,
      String keySeparator,
      boolean sortKeys) {
    this.run = run;
    this.ascii = ascii;
    this.indent = indent;
    this.itemSeparator = itemSeparator;
    this.keySeparator = keySeparator;
    this.sortKeys = sortKeys;
  }

  /** The tojson filter of Hugging Face's templates: {@code ensure_ascii} is off by default. */
  static String of(Run run, Object value, Arguments arguments) {
    arguments.only("tojson", "ensure_ascii", "indent", "separators", "sort_keys");
    Object indent = arguments.get(1, "indent", None.NONE);
    Object separators = arguments.get(2, "separators", None.NONE);
    String item = indent == None.NONE ? ", " : ",";
    String key = ": ";
    if (separators instanceof List<?> pair && pair.size() == 2) {
      item = Values.text(pair.get(0), "a separator");
      key = Values.text(pair.get(1), "a separator");
    } else if (separators != None.NONE) {
      throw new TemplateException("the separators of tojson must be two texts");
    }
    Json json =
        new Json(
            run,
            Values.truth(arguments.get(0, "ensure_ascii", false)),
            indent(indent),
            item,
            key,
            Values.truth(arguments.get(3, "sort_keys", false)));
    json.write(value, 0);
    return json.out.toString();
  }

  private static String indent(Object indent) {
    return switch (indent) {
      case None none -> null;
      case String text when text.length() <= 100 -> text;
      case Long n when n <= 100 -> " ".repeat((int) Math.max(0, n));
      default -> throw new TemplateException("the indent of tojson must be 0 to 100 spaces");
    };
  }

  private void write(Object value, int depth) {
    run.charge(value instanceof String text ? text.length() : 2L + depth);
    if (depth > MAX_DEPTH) {
      throw new TemplateException("a value for tojson nests deeper than " + MAX_DEPTH);
    }
    switch (value) {
      case None none -> out.append("null");
      case Boolean truth -> out.append(truth);
      case Long n -> out.append(n);
      case Double x -> out.append(number(x));
      case String text -> text(text);
      case List<?> list -> {
        List<Runnable> items = new ArrayList<>();
        for (Object item : list) {
          items.add(() -> write(item, depth + 1));
        }
        container('[', items, ']', depth);
      }
      case Map<?, ?> map -> {
        List<Runnable> items = new ArrayList<>();
        for (Map.Entry<?, ?> entry : entries(map)) {
          items.add(
              () -> {
                text(key(entry.getKey()));
                out.append(keySeparator);
                write(entry.getValue(), depth + 1);
              });
        }
        container('{', items, '}', depth);
      }
      default -> throw new TemplateException(Values.describe(value) + " has no JSON");
    }
  }

  private List<Map.Entry<?, ?>> entries(Map<?, ?> map) {
    List<Map.Entry<?, ?>> entries = new ArrayList<>(map.entrySet());
    if (sortKeys) {
      entries.sort(
          Comparator.comparing(
              (Map.Entry<?, ?> entry) -> entry.getKey(), (a, b) -> Values.compare(run, a, b)));
    }
    return entries;
  }

  private static String key(Object key) {
    return switch (key) {
      case String text -> text;
      case None none -> "null";
      case Long n -> n.toString();
      case Double x -> number(x);
      default -> throw new TemplateException(Values.describe(key) + " is no JSON key");
    };
  }

  private static String number(double x) {
    if (Double.isNaN(x)) {
      return "NaN";
    }
    return Double.isInfinite(x) ? x > 0 ? "Infinity" : "-Infinity" : Values.reprDouble(x);
  }

  private void container(char open, List<Runnable> items, char close, int depth) {
    out.append(open);
    for (int i = 0; i < items.size(); i++) {
      out.append(i == 0 ? "" : itemSeparator);
      newLine(depth + 1);
      items.get(i).run();
    }
    if (!items.isEmpty()) {
      newLine(depth);
    }
    out.append(close);
  }

  private void newLine(int depth) {
    if (indent != null) {
      out.append('\n').append(indent.repeat(depth));
    }
  }

  private void text(String text) {
    out.append('"');
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      switch (c) {
        case '"' -> out.append("\\\"");
        case '\\' -> out.append("\\\\");
        case '\n' -> out.append("\\n");
        case '\r' -> out.append("\\r");
        case '\t' -> out.append("\\t");
        case '\b' -> out.append("\\b");
        case '\f' -> out.append("\\f");
        default -> {
          if (c < 0x20 || ascii && c > 0x7e) {
            out.append(String.format("\\u%04x", (int) c));
          } else {
            out.append(c);
          }
        }
      }
    }
    out.append('"');
  }
}
