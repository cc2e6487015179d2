package io.attention4j.llm.tokenizer;

/**
 * Decodes UTF-8 that arrives in pieces cut anywhere. A character comes out when its last byte has
 * arrived; a byte sequence that can no longer become a character comes out as U+FFFD, one per
 * maximal subpart, so the text does not depend on where the pieces were cut. Not safe for several
 * threads.
 *
 * @see <a href="https://encoding.spec.whatwg.org/#utf-8-decoder">WHATWG Encoding, UTF-8 decoder</a>
 */
final class Utf8Assembler {
  private static final char REPLACEMENT = '\uFFFD';

  private int codePoint;
  private int bytesMissing;
  // Bounds of the next continuation byte: they exclude overlong forms, surrogates and > U+10FFFF.
  private int lower = 0x80;
  private int upper = 0xBF;

  /** Appends to {@code out} what {@code bytes} completes, from index {@code from} on. */
  void accept(byte[] bytes, int from, StringBuilder out) {
    for (int i = from; i < bytes.length; i++) {
      int b = bytes[i] & 0xFF;
      if (bytesMissing > 0) {
        if (b >= lower && b <= upper) {
          lower = 0x80;
          upper = 0xBF;
          codePoint = codePoint << 6 | b & 0x3F;
          if (--bytesMissing == 0) {
            out.appendCodePoint(codePoint);
          }
          continue;
        }
        finish(out);
      }
      first(b, out);
    }
  }

  /** Appends U+FFFD if a character was left incomplete, and starts anew. */
  void finish(StringBuilder out) {
    if (bytesMissing > 0) {
      out.append(REPLACEMENT);
      bytesMissing = 0;
      lower = 0x80;
      upper = 0xBF;
    }
  }

  private void first(int b, StringBuilder out) {
    if (b < 0x80) {
      out.append((char) b);
    } else if (b >= 0xC2 && b <= 0xDF) {
      bytesMissing = 1;
      codePoint = b & 0x1F;
    } else if (b >= 0xE0 && b <= 0xEF) {
      bytesMissing = 2;
      codePoint = b & 0xF;
      lower = b == 0xE0 ? 0xA0 : 0x80;
      upper = b == 0xED ? 0x9F : 0xBF;
    } else if (b >= 0xF0 && b <= 0xF4) {
      bytesMissing = 3;
      codePoint = b & 0x7;
      lower = b == 0xF0 ? 0x90 : 0x80;
      upper = b == 0xF4 ? 0x8F : 0xBF;
    } else {
      out.append(REPLACEMENT);
    }
  }
}
