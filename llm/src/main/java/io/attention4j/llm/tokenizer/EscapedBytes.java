package io.attention4j.llm.tokenizer;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;

/**
 * Tokens of RWKV's World vocabulary as GGUF files spell them: text with {@code \t}, {@code \n},
 * {@code \r}, {@code \xHH} for a byte, and any other character behind a backslash for itself.
 */
final class EscapedBytes {
  private EscapedBytes() {}

  /** The bytes; a {@code \x} without two hexadecimal digits stands for itself. */
  static byte[] of(String escaped) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream(escaped.length());
    for (int i = 0; i < escaped.length(); ) {
      int c = escaped.codePointAt(i);
      i += Character.charCount(c);
      if (c != '\\' || i == escaped.length()) {
        bytes.writeBytes(Character.toString(c).getBytes(StandardCharsets.UTF_8));
        continue;
      }
      int kind = escaped.codePointAt(i);
      i += Character.charCount(kind);
      int value = kind == 'x' ? hex(escaped, i) : -1;
      if (value >= 0) {
        bytes.write(value);
        i += 2;
        continue;
      }
      int plain =
          switch (kind) {
            case 't' -> '\t';
            case 'n' -> '\n';
            case 'r' -> '\r';
            default -> kind;
          };
      bytes.writeBytes(Character.toString(plain).getBytes(StandardCharsets.UTF_8));
    }
    return bytes.toByteArray();
  }

  private static int hex(String text, int at) {
    if (at + 2 > text.length()) {
      return -1;
    }
    int high = Character.digit(text.charAt(at), 16);
    int low = Character.digit(text.charAt(at + 1), 16);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
  }
}
