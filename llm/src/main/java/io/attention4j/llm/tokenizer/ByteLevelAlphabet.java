package io.attention4j.llm.tokenizer;

import java.nio.charset.StandardCharsets;

/**
 * The printable stand-ins of bytes in a byte-level BPE vocabulary: printable Latin-1 characters
 * stand for themselves, the other bytes, in ascending order, for U+0100 and the characters after
 * it.
 *
 * @see <a href="https://github.com/openai/gpt-2/blob/master/src/encoder.py">GPT-2, bytes_to_unicode
 *     </a>
 */
final class ByteLevelAlphabet {
  private static final char[] CHAR_OF = new char[256];
  private static final short[] BYTE_OF = new short[0x100 + 256];

  static {
    java.util.Arrays.fill(BYTE_OF, (short) -1);
    char next = 0x100;
    for (int b = 0; b < 256; b++) {
      boolean printable = b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE;
      CHAR_OF[b] = printable ? (char) b : next++;
      BYTE_OF[CHAR_OF[b]] = (short) b;
    }
  }

  private ByteLevelAlphabet() {}

  /** The character that stands for a byte. */
  static char charOf(byte b) {
    return CHAR_OF[b & 0xFF];
  }

  /** The bytes a piece stands for; its own UTF-8 if it holds a character of another alphabet. */
  static byte[] bytes(String piece) {
    byte[] out = new byte[piece.length()];
    for (int i = 0; i < out.length; i++) {
      char c = piece.charAt(i);
      if (c >= BYTE_OF.length || BYTE_OF[c] < 0) {
        return piece.getBytes(StandardCharsets.UTF_8);
      }
      out[i] = (byte) BYTE_OF[c];
    }
    return out;
  }
}
