package io.attention4j.chat.template;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Cuts a template into segments by the rules of Jinja2's lexer with trim_blocks and lstrip_blocks
 * on and keep_trailing_newline off, as Hugging Face sets them.
 */
final class Lexer {
  private static final Pattern NUMBER =
      Pattern.compile("\\d+(_\\d+)*(?<fraction>\\.\\d+(_\\d+)*)?(?<exponent>[eE][+-]?\\d+)?");
  private static final Pattern RAW_BEGIN = Pattern.compile("\\{%[-+]?\\s*raw\\s*(-%\\}\\s*|%\\})");
  private static final Pattern RAW_END =
      Pattern.compile("\\{%(?<sign>[-+]?)\\s*endraw\\s*(\\+%\\}|-%\\}\\s*|%\\}\\n?)");
  private static final List<String> OPERATORS =
      List.of(
          "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{",
          "}", ">", "<", "=", ".", ":", "|", ",", ";");

  private final String source;
  private final List<Segment> segments = new ArrayList<>();
  private int at;
  private int line = 1;
  private int countedTo;
  private boolean lineStarting = true;

  private Lexer(String source) {
    String text = source.replace("\r\n", "\n").replace('\r', '\n');
    this.source = text.endsWith("\n") ? text.substring(0, text.length() - 1) : text;
  }

  static List<Segment> segments(String source) {
    Lexer lexer = new Lexer(source);
    lexer.run();
    return lexer.segments;
  }

  private void run() {
    while (at < source.length()) {
      int start = nextBegin(at);
      if (start < 0) {
        text(source.substring(at));
        return;
      }
      char kind = source.charAt(start + 1);
      char sign = start + 2 < source.length() ? source.charAt(start + 2) : 0;
      text(strip(source.substring(at, start), sign, kind != '{'));
      at = start;
      line();
      if (kind == '#') {
        comment();
      } else if (kind == '{') {
        at = start + (sign == '-' || sign == '+' ? 3 : 2);
        int line = line();
        segments.add(new Segment.Output(tokens("}}"), line));
      } else {
        Matcher raw = RAW_BEGIN.matcher(source).region(start, source.length());
        if (raw.lookingAt()) {
          raw(raw.end());
        } else {
          at = start + (sign == '-' || sign == '+' ? 3 : 2);
          int line = line();
          segments.add(new Segment.Statement(tokens("%}"), line));
        }
      }
      lineStarting = at > 0 && source.charAt(at - 1) == '\n';
    }
  }

  private int nextBegin(int from) {
    for (int i = source.indexOf('{', from); i >= 0; i = source.indexOf('{', i + 1)) {
      if (i + 1 < source.length() && "{%#".indexOf(source.charAt(i + 1)) >= 0) {
        return i;
      }
    }
    return -1;
  }

  private String strip(String text, char sign, boolean block) {
    if (sign == '-') {
      return Strings.rstrip(text, null);
    }
    if (sign != '+' && block) {
      int lineStart = text.lastIndexOf('\n') + 1;
      if ((lineStart > 0 || lineStarting)
          && Strings.rstrip(text.substring(lineStart), null).isEmpty()) {
        return text.substring(0, lineStart);
      }
    }
    return text;
  }

  private void text(String text) {
    if (!text.isEmpty()) {
      segments.add(new Segment.Text(text, line));
    }
  }

  private void comment() {
    int end = source.indexOf("#}", at + 2);
    if (end < 0) {
      throw new TemplateException("line " + line + " opens a comment that is not closed");
    }
    char sign = end > at + 2 ? source.charAt(end - 1) : 0;
    at = end + 2;
    skipAfterBlock(sign);
  }

  private void raw(int contentStart) {
    Matcher end = RAW_END.matcher(source);
    if (!end.find(contentStart)) {
      throw new TemplateException("line " + line + " opens a raw block that is not closed");
    }
    String sign = end.group("sign");
    lineStarting = source.charAt(contentStart - 1) == '\n';
    text(
        strip(
            source.substring(contentStart, end.start()),
            sign.isEmpty() ? 0 : sign.charAt(0),
            true));
    at = end.end();
  }

  private void skipAfterBlock(char sign) {
    if (sign == '-') {
      skipWhitespace();
    } else if (sign != '+' && at < source.length() && source.charAt(at) == '\n') {
      at++;
    }
  }

  private void skipWhitespace() {
    while (at < source.length() && Strings.isSpace(source.charAt(at))) {
      at++;
    }
  }

  private int line() {
    for (; countedTo < at; countedTo++) {
      if (source.charAt(countedTo) == '\n') {
        line++;
      }
    }
    return line;
  }

  /** Tokens up to the closing delimiter, which counts only outside brackets. */
  private List<Token> tokens(String close) {
    int startLine = line;
    List<Token> tokens = new ArrayList<>();
    StringBuilder open = new StringBuilder();
    while (true) {
      skipWhitespace();
      if (at >= source.length()) {
        throw new TemplateException(
            "line " + startLine + " opens a tag that is not closed with " + close);
      }
      if (open.isEmpty()) {
        boolean minus = source.startsWith("-" + close, at);
        boolean plus = close.equals("%}") && source.startsWith("+" + close, at);
        if (minus || plus || source.startsWith(close, at)) {
          at += close.length() + (minus || plus ? 1 : 0);
          if (minus) {
            skipWhitespace();
          } else if (close.equals("%}")) {
            skipAfterBlock(plus ? '+' : 0);
          }
          return tokens;
        }
      }
      tokens.add(token(open));
    }
  }

  private Token token(StringBuilder open) {
    char c = source.charAt(at);
    if (c == '\'' || c == '"') {
      return string(c);
    }
    if (Character.isUnicodeIdentifierStart(c) || c == '_') {
      int start = at;
      while (at < source.length()
          && (Character.isUnicodeIdentifierPart(source.charAt(at)) || source.charAt(at) == '_')) {
        at++;
      }
      return new Token(Token.Kind.NAME, source.substring(start, at));
    }
    if (c >= '0' && c <= '9') {
      Matcher number = NUMBER.matcher(source).region(at, source.length());
      number.lookingAt();
      at = number.end();
      boolean real = number.group("fraction") != null || number.group("exponent") != null;
      return new Token(
          real ? Token.Kind.FLOAT : Token.Kind.INTEGER, number.group().replace("_", ""));
    }
    for (String operator : OPERATORS) {
      if (source.startsWith(operator, at)) {
        at += operator.length();
        balance(operator, open);
        return new Token(Token.Kind.OPERATOR, operator);
      }
    }
    throw new TemplateException("line " + line() + " has an unexpected character '" + c + "'");
  }

  private void balance(String operator, StringBuilder open) {
    switch (operator) {
      case "(" -> open.append(')');
      case "[" -> open.append(']');
      case "{" -> open.append('}');
      case ")", "]", "}" -> {
        int last = open.length() - 1;
        if (last < 0 || open.charAt(last) != operator.charAt(0)) {
          throw new TemplateException("line " + line() + " has an unexpected '" + operator + "'");
        }
        open.setLength(last);
      }
      default -> {}
    }
  }

  private Token string(char quote) {
    int startLine = line();
    int start = ++at;
    while (at < source.length() && source.charAt(at) != quote) {
      at += source.charAt(at) == '\\' ? 2 : 1;
    }
    if (at >= source.length()) {
      throw new TemplateException("line " + startLine + " opens a string that is not closed");
    }
    return new Token(Token.Kind.STRING, unescape(source.substring(start, at++)));
  }

  /** Python's unicode-escape: an unknown escape keeps its backslash. */
  private String unescape(String text) {
    if (text.indexOf('\\') < 0) {
      return text;
    }
    StringBuilder out = new StringBuilder();
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c != '\\' || i + 1 == text.length()) {
        out.append(c);
        continue;
      }
      char escape = text.charAt(++i);
      int simple = "\n\\'\"abfnrtv".indexOf(escape);
      if (simple == 0) {
        continue; // a backslash at the end of a line joins it to the next
      } else if (simple > 0) {
        out.append("\\'\"\u0007\b\f\n\r\t\u000b".charAt(simple - 1));
      } else if (escape == 'x' || escape == 'u' || escape == 'U') {
        int digits = escape == 'x' ? 2 : escape == 'u' ? 4 : 8;
        out.appendCodePoint(codePoint(text, i + 1, digits, 16));
        i += digits;
      } else if (escape >= '0' && escape <= '7') {
        int end = i + 1;
        while (end < text.length() && end < i + 3 && "01234567".indexOf(text.charAt(end)) >= 0) {
          end++;
        }
        out.appendCodePoint(codePoint(text, i, end - i, 8));
        i = end - 1;
      } else {
        out.append('\\').append(escape);
      }
    }
    return out.toString();
  }

  private int codePoint(String text, int start, int digits, int radix) {
    if (start + digits <= text.length()) {
      String number = text.substring(start, start + digits);
      if (number.chars().allMatch(c -> Character.digit(c, radix) >= 0)) {
        long value = Long.parseLong(number, radix);
        if (value <= Character.MAX_CODE_POINT) {
          return (int) value;
        }
      }
    }
    throw new TemplateException("line " + line() + " has a string with a broken escape");
  }
}
