package io.attention4j.chat.template;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Python's two ways to format: {@code "%s" % x} and {@code "{}".format(x)}, without widths. */
final class Formats {
  private static final Pattern PERCENT = Pattern.compile("%(\\.(\\d))?([a-zA-Z%])");
  private static final Pattern BRACES = Pattern.compile("\\{\\{|\\}\\}|\\{(\\w*)\\}|[{}]");

  private Formats() {}

  static String percent(Run run, String pattern, List<?> values) {
    Matcher matcher = PERCENT.matcher(pattern);
    StringBuilder out = new StringBuilder();
    int from = 0;
    int used = 0;
    while (matcher.find()) {
      literal(pattern.substring(from, matcher.start()), out);
      from = matcher.end();
      if (matcher.group(3).equals("%")) {
        out.append('%');
        continue;
      }
      if (used == values.size()) {
        throw new TemplateException("a format has more places than values");
      }
      Object value = values.get(used++);
      switch (matcher.group(3)) {
        case "s" -> out.append(Values.str(run, value));
        case "r" -> out.append(Values.repr(run, value));
        case "d", "i" -> {
          if (!Values.isNumber(value)) {
            throw new TemplateException("%d formats a number, not " + Values.describe(value));
          }
          out.append(value instanceof Double x ? x.longValue() : Values.integer(value, "%d"));
        }
        case "f" -> {
          int digits = matcher.group(2) == null ? 6 : Integer.parseInt(matcher.group(2));
          out.append(fixed(Values.number(value), digits));
        }
        case "x" -> out.append(Long.toHexString(Values.integer(value, "%x")));
        default -> throw unsupported(matcher.group());
      }
    }
    literal(pattern.substring(from), out);
    if (used < values.size()) {
      throw new TemplateException("a format has fewer places than values");
    }
    return out.toString();
  }

  private static void literal(String text, StringBuilder out) {
    if (text.indexOf('%') >= 0) {
      throw unsupported(text.substring(text.indexOf('%')));
    }
    out.append(text);
  }

  private static TemplateException unsupported(String format) {
    return new TemplateException(
        "the format '" + format + "' is not supported; %s, %r, %d, %x, %f and %.Nf are");
  }

  static String braces(Run run, String pattern, Arguments arguments) {
    Matcher matcher = BRACES.matcher(pattern);
    StringBuilder out = new StringBuilder();
    int from = 0;
    int next = 0;
    while (matcher.find()) {
      out.append(pattern, from, matcher.start());
      from = matcher.end();
      String name = matcher.group(1);
      if (name == null) {
        if (matcher.group().length() == 1) {
          throw new TemplateException(
              "a format has a brace that is neither {}, {0} nor {name}; others are not supported");
        }
        out.append(matcher.group().charAt(0));
        continue;
      }
      boolean index =
          name.isEmpty() || name.length() < 9 && name.chars().allMatch(Character::isDigit);
      int position = !index ? -1 : name.isEmpty() ? next++ : Integer.parseInt(name);
      Object value =
          index
              ? position < arguments.positional().size()
                  ? arguments.positional().get(position)
                  : null
              : arguments.named().get(name);
      if (value == null) {
        throw new TemplateException("a format has no value for {" + name + "}");
      }
      out.append(Values.str(run, value));
    }
    return out.append(pattern.substring(from)).toString();
  }

  private static String fixed(double value, int digits) {
    return Double.isFinite(value)
        ? new BigDecimal(value).setScale(digits, RoundingMode.HALF_EVEN).toPlainString()
        : Values.reprDouble(value).toLowerCase(Locale.ROOT);
  }
}
