package io.attention4j.chat.template;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Python's string functions. Lengths and indices count code points, as Python's do. */
final class Strings {
  private Strings() {}

  static int length(String text) {
    return text.codePointCount(0, text.length());
  }

  /** Python's str.isspace for one character. */
  static boolean isSpace(int c) {
    return Character.isWhitespace(c)
        || Character.isSpaceChar(c)
        || c == 0x85
        || c >= 0x1c && c <= 0x1f;
  }

  /** {@code characters} null strips white space. */
  static String lstrip(String text, String characters) {
    int start = 0;
    while (start < text.length()) {
      int c = text.codePointAt(start);
      if (!strips(c, characters)) {
        break;
      }
      start += Character.charCount(c);
    }
    return text.substring(start);
  }

  static String rstrip(String text, String characters) {
    int end = text.length();
    while (end > 0) {
      int c = text.codePointBefore(end);
      if (!strips(c, characters)) {
        break;
      }
      end -= Character.charCount(c);
    }
    return text.substring(0, end);
  }

  static String strip(String text, String characters) {
    return rstrip(lstrip(text, characters), characters);
  }

  private static boolean strips(int c, String characters) {
    return characters == null ? isSpace(c) : characters.indexOf(c) >= 0;
  }

  /** {@code separator} null splits at runs of white space; {@code max} below 0 is no limit. */
  static List<Object> split(String text, String separator, long max) {
    List<Object> parts = new ArrayList<>();
    if (separator == null) {
      String rest = lstrip(text, null);
      while (!rest.isEmpty()) {
        if (max >= 0 && parts.size() == max) {
          parts.add(rest);
          return parts;
        }
        int end = 0;
        while (end < rest.length() && !isSpace(rest.charAt(end))) {
          end++;
        }
        parts.add(rest.substring(0, end));
        rest = lstrip(rest.substring(end), null);
      }
      return parts;
    }
    int from = 0;
    while (max < 0 || parts.size() < max) {
      int at = text.indexOf(checkSeparator(separator), from);
      if (at < 0) {
        break;
      }
      parts.add(text.substring(from, at));
      from = at + separator.length();
    }
    parts.add(text.substring(from));
    return parts;
  }

  /** Splits from the right. */
  static List<Object> rsplit(String text, String separator, long max) {
    if (max < 0) {
      return split(text, separator, max);
    }
    List<Object> parts = new ArrayList<>();
    String rest = separator == null ? rstrip(text, null) : text;
    while (parts.size() < max && !(separator == null && rest.isEmpty())) {
      int at;
      int width;
      if (separator == null) {
        at = rest.length() - 1;
        while (at >= 0 && !isSpace(rest.charAt(at))) {
          at--;
        }
        width = 1;
      } else {
        at = rest.lastIndexOf(checkSeparator(separator));
        width = separator.length();
      }
      if (at < 0) {
        break;
      }
      parts.add(0, rest.substring(at + width));
      rest = separator == null ? rstrip(rest.substring(0, at), null) : rest.substring(0, at);
    }
    if (separator != null || !rest.isEmpty()) {
      parts.add(0, rest);
    }
    return parts;
  }

  static String checkSeparator(String separator) {
    if (separator.isEmpty()) {
      throw new TemplateException("a text cannot be split at an empty separator");
    }
    return separator;
  }

  static List<Object> splitLines(String text) {
    List<Object> lines = new ArrayList<>();
    int start = 0;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if ("\n\r\u000b\f\u001c\u001d\u001e\u0085\u2028\u2029".indexOf(c) >= 0) {
        lines.add(text.substring(start, i));
        if (c == '\r' && i + 1 < text.length() && text.charAt(i + 1) == '\n') {
          i++;
        }
        start = i + 1;
      }
    }
    if (start < text.length()) {
      lines.add(text.substring(start));
    }
    return lines;
  }

  /** {@code count} below 0 replaces all. */
  static String replace(String text, String old, String with, long count) {
    if (count < 0) {
      return text.replace(old, with);
    }
    StringBuilder out = new StringBuilder();
    int from = 0;
    for (long n = 0; n < count; n++) {
      int at = old.isEmpty() && n > 0 ? from + 1 : text.indexOf(old, from);
      if (at < 0 || at > text.length()) {
        break;
      }
      out.append(text, from, at).append(with);
      from = at + old.length();
    }
    return out.append(text.substring(from)).toString();
  }

  static String capitalize(String text) {
    if (text.isEmpty()) {
      return text;
    }
    int first = text.offsetByCodePoints(0, 1);
    return text.substring(0, first).toUpperCase(Locale.ROOT)
        + text.substring(first).toLowerCase(Locale.ROOT);
  }

  /** Upper case after every character that is no letter, lower case after a letter. */
  static String title(String text) {
    StringBuilder out = new StringBuilder();
    boolean inWord = false;
    for (int c : text.codePoints().toArray()) {
      out.appendCodePoint(inWord ? Character.toLowerCase(c) : Character.toTitleCase(c));
      inWord = Character.isLetter(c);
    }
    return out.toString();
  }

  static String swapCase(String text) {
    StringBuilder out = new StringBuilder();
    text.codePoints()
        .forEach(
            c ->
                out.appendCodePoint(
                    Character.isUpperCase(c)
                        ? Character.toLowerCase(c)
                        : Character.toUpperCase(c)));
    return out.toString();
  }

  static List<Object> characters(String text) {
    List<Object> characters = new ArrayList<>();
    text.codePoints().forEach(c -> characters.add(Character.toString(c)));
    return characters;
  }

  /** Index in code points of a char index. */
  static long codePointIndex(String text, int charIndex) {
    return charIndex < 0 ? -1 : text.codePointCount(0, charIndex);
  }

  static long count(String text, String part) {
    if (part.isEmpty()) {
      return length(text) + 1L;
    }
    long count = 0;
    for (int at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length())) {
      count++;
    }
    return count;
  }

  /** White space on both sides up to {@code width} code points, as str.center places it. */
  static String center(String text, int width) {
    int missing = width - length(text);
    if (missing <= 0) {
      return text;
    }
    int left = missing / 2 + (missing & width & 1);
    return " ".repeat(left) + text + " ".repeat(missing - left);
  }
}
