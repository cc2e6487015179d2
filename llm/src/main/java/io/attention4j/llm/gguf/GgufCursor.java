package io.attention4j.llm.gguf;

import static io.attention4j.llm.format.ModelFormatException.quote;

import io.attention4j.llm.format.ModelFormatException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * Reads a mapped GGUF file forwards; every length is compared with what is left of the file before
 * anything is allocated or read. Not thread-safe; create one per read.
 */
final class GgufCursor {
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final Path file;
  private final MemorySegment bytes;
  private long position;
  // What is being read, for messages: a kind ("metadata key") and, once known, its name.
  private String kind = "header";
  private String name = "";

  GgufCursor(Path file, MemorySegment bytes, long position) {
    this.file = file;
    this.bytes = bytes;
    this.position = position;
  }

  void reading(String kind, String name) {
    this.kind = kind;
    this.name = name;
  }

  long position() {
    return position;
  }

  long remaining() {
    return bytes.byteSize() - position;
  }

  byte int8() {
    require(1);
    return bytes.get(ValueLayout.JAVA_BYTE, position++);
  }

  short int16() {
    require(Short.BYTES);
    short value = bytes.get(SHORT, position);
    position += Short.BYTES;
    return value;
  }

  int int32() {
    require(Integer.BYTES);
    int value = bytes.get(INT, position);
    position += Integer.BYTES;
    return value;
  }

  long int64() {
    require(Long.BYTES);
    long value = bytes.get(LONG, position);
    position += Long.BYTES;
    return value;
  }

  /** A string of at most {@code maxBytes} bytes of UTF-8; malformed bytes become U+FFFD. */
  String string(long maxBytes) {
    int length = stringLength(maxBytes);
    if (length == 0) {
      return "";
    }
    byte[] utf8 = new byte[length];
    MemorySegment.copy(bytes, ValueLayout.JAVA_BYTE, position, utf8, 0, length);
    position += length;
    return new String(utf8, StandardCharsets.UTF_8);
  }

  void skipString() {
    int length = stringLength(Integer.MAX_VALUE); // moves the position itself
    position += length;
  }

  private int stringLength(long maxBytes) {
    long length = int64();
    if (length < 0 || length > remaining()) {
      throw error(
          "says that a string of "
              + Long.toUnsignedString(length)
              + " bytes follows but only "
              + remaining()
              + " bytes are left");
    }
    if (length > maxBytes) {
      throw error(
          "has a string of " + length + " bytes where at most " + maxBytes + " are allowed");
    }
    return (int) length;
  }

  /** Skips {@code count} values of a fixed size. */
  void skip(long count, int bytesEach) {
    if (count < 0 || count > remaining() / bytesEach) {
      throw error(
          "says that "
              + Long.toUnsignedString(count)
              + " values of "
              + bytesEach
              + " bytes follow but only "
              + remaining()
              + " bytes are left");
    }
    position += count * bytesEach;
  }

  private void require(int count) {
    if (count > remaining()) {
      throw error("ends early: the file stops at byte " + bytes.byteSize());
    }
  }

  /** An error about what is being read now. */
  ModelFormatException error(String problem) {
    String subject = name.isEmpty() ? "the " + kind : "the " + kind + " " + quote(name);
    return new ModelFormatException(
        file,
        subject + " at byte " + position + " " + problem,
        "the file is damaged or incomplete: download or convert it again");
  }
}
