package io.attention4j.llm.gguf;

import static io.attention4j.llm.format.ModelFormatException.quote;

import io.attention4j.llm.format.ModelFormatException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.StringJoiner;

/**
 * The key-value pairs of a GGUF file. Only keys and types are on the heap; values stay in the
 * mapping and are decoded at each call, so keep a large array (a vocabulary) instead of asking
 * twice. Getters fail with {@link IllegalStateException} once the file is closed. Safe to read from
 * many threads.
 *
 * <p>Integers may be asked for in any width: writers differ in the type they choose for the same
 * key. A getter throws {@link ModelFormatException} if the key is absent, of another kind, or its
 * value does not fit; the message names the key, the expected and the found type.
 */
public final class GgufMetadata {
  static final int MAX_KEY_BYTES = 1 << 16;

  /** Where a value lies: {@code start} is its first byte, for an array that of its element type. */
  private record Entry(GgufType type, long start, long end) {}

  private final Path file;
  private final MemorySegment bytes;
  private final Map<String, Entry> entries;

  private GgufMetadata(Path file, MemorySegment bytes, Map<String, Entry> entries) {
    this.file = file;
    this.bytes = bytes;
    this.entries = entries;
  }

  /** Indexes {@code count} pairs from the cursor on and leaves it behind the last. */
  static GgufMetadata parse(Path file, MemorySegment bytes, GgufCursor cursor, long count) {
    Map<String, Entry> entries = new LinkedHashMap<>();
    for (long i = 0; i < count; i++) {
      cursor.reading("metadata key", "");
      String key = cursor.string(MAX_KEY_BYTES);
      cursor.reading("metadata value", key);
      GgufType type = type(cursor);
      long start = cursor.position();
      skip(cursor, type);
      if (entries.put(key, new Entry(type, start, cursor.position())) != null) {
        throw cursor.error("occurs twice");
      }
    }
    return new GgufMetadata(file, bytes, entries);
  }

  private static GgufType type(GgufCursor cursor) {
    int id = cursor.int32();
    GgufType type = GgufType.ofId(id);
    if (type == null) {
      throw cursor.error(
          "has the unknown type " + (id & 0xffffffffL) + " where 0 to 12 are defined");
    }
    return type;
  }

  private static void skip(GgufCursor cursor, GgufType type) {
    switch (type) {
      case STRING -> cursor.skipString();
      case ARRAY -> skipArray(cursor);
      default -> cursor.skip(1, type.bytes());
    }
  }

  private static void skipArray(GgufCursor cursor) {
    GgufType element = type(cursor);
    long count = cursor.int64();
    switch (element) {
      case STRING -> {
        checkStringCount(cursor, count);
        for (long i = 0; i < count; i++) {
          cursor.skipString();
        }
      }
      case ARRAY -> throw cursor.error("is an array of arrays, which no known model uses");
      default -> cursor.skip(count, element.bytes());
    }
  }

  private static void checkStringCount(GgufCursor cursor, long count) {
    if (count < 0 || count > cursor.remaining() / Long.BYTES || count > Integer.MAX_VALUE - 8) {
      throw cursor.error(
          "says that "
              + Long.toUnsignedString(count)
              + " strings follow but only "
              + cursor.remaining()
              + " bytes are left");
    }
  }

  /** All keys in the order of the file; unmodifiable. */
  public Set<String> keys() {
    return Collections.unmodifiableSet(entries.keySet());
  }

  /** Whether the key is there. */
  public boolean contains(String key) {
    return entries.containsKey(key);
  }

  /** Type of a value. */
  public GgufType type(String key) {
    return entry(key, "a value").type();
  }

  /** Type of an array's elements. */
  public GgufType elementType(String key) {
    return type(array(key, "an array"));
  }

  /** Number of an array's elements. */
  public long count(String key) {
    GgufCursor cursor = array(key, "an array");
    cursor.int32();
    return cursor.int64();
  }

  /** A string. */
  public String string(String key) {
    return scalar(key, GgufType.STRING).string(Integer.MAX_VALUE);
  }

  /** A string, or the fallback if the key is absent. */
  public String string(String key, String fallback) {
    return contains(key) ? string(key) : fallback;
  }

  /** A boolean. */
  public boolean bool(String key) {
    return bool(scalar(key, GgufType.BOOL));
  }

  /** A boolean, or the fallback if the key is absent. */
  public boolean bool(String key, boolean fallback) {
    return contains(key) ? bool(key) : fallback;
  }

  /** An integer of any type whose value fits 32 signed bits. */
  public int int32(String key) {
    long value = int64(key);
    if (value != (int) value) {
      throw outOfRange(key, value);
    }
    return (int) value;
  }

  /** An integer that fits 32 signed bits, or the fallback if the key is absent. */
  public int int32(String key, int fallback) {
    return contains(key) ? int32(key) : fallback;
  }

  /** An integer of any type whose value fits 64 signed bits. */
  public long int64(String key) {
    Entry entry = entry(key, "an integer");
    if (!entry.type().isInteger()) {
      throw wrongType(key, "an integer", entry.type().name());
    }
    return integer(cursor(key, entry), entry.type());
  }

  /** A FLOAT32, or a FLOAT64 rounded to it. */
  public float float32(String key) {
    Entry entry = entry(key, "FLOAT32");
    return switch (entry.type()) {
      case FLOAT32 -> Float.intBitsToFloat(cursor(key, entry).int32());
      case FLOAT64 -> (float) Double.longBitsToDouble(cursor(key, entry).int64());
      default -> throw wrongType(key, "FLOAT32", entry.type().name());
    };
  }

  /** A FLOAT32, or the fallback if the key is absent. */
  public float float32(String key, float fallback) {
    return contains(key) ? float32(key) : fallback;
  }

  /** An array of strings; decoded at each call. Unmodifiable. */
  public List<String> strings(String key) {
    GgufCursor cursor = array(key, "an array of STRING");
    GgufType element = type(cursor);
    if (element != GgufType.STRING) {
      throw wrongType(key, "an array of STRING", "an array of " + element);
    }
    long count = cursor.int64();
    checkStringCount(cursor, count);
    String[] strings = new String[(int) count];
    for (int i = 0; i < strings.length; i++) {
      strings[i] = cursor.string(Integer.MAX_VALUE);
    }
    return Collections.unmodifiableList(Arrays.asList(strings));
  }

  /** An array of integers of any type whose values fit 32 signed bits; decoded at each call. */
  public int[] int32s(String key) {
    GgufCursor cursor = array(key, "an array of integers");
    GgufType element = type(cursor);
    if (!element.isInteger()) {
      throw wrongType(key, "an array of integers", "an array of " + element);
    }
    int[] values = new int[fixedCount(cursor, element)];
    for (int i = 0; i < values.length; i++) {
      long value = integer(cursor, element);
      if (value != (int) value) {
        throw outOfRange(key, value);
      }
      values[i] = (int) value;
    }
    return values;
  }

  /** An array of FLOAT32; decoded at each call. */
  public float[] float32s(String key) {
    GgufCursor cursor = array(key, "an array of FLOAT32");
    GgufType element = type(cursor);
    if (element != GgufType.FLOAT32) {
      throw wrongType(key, "an array of FLOAT32", "an array of " + element);
    }
    float[] values = new float[fixedCount(cursor, element)];
    for (int i = 0; i < values.length; i++) {
      values[i] = Float.intBitsToFloat(cursor.int32());
    }
    return values;
  }

  /** An array of booleans; decoded at each call. */
  public boolean[] bools(String key) {
    GgufCursor cursor = array(key, "an array of BOOL");
    GgufType element = type(cursor);
    if (element != GgufType.BOOL) {
      throw wrongType(key, "an array of BOOL", "an array of " + element);
    }
    boolean[] values = new boolean[fixedCount(cursor, element)];
    for (int i = 0; i < values.length; i++) {
      values[i] = bool(cursor);
    }
    return values;
  }

  /** A value as text for people: strings bare, of arrays the first {@code maxElements} elements. */
  public String describe(String key, int maxElements) {
    Entry entry = entry(key, "a value");
    GgufCursor cursor = cursor(key, entry);
    if (entry.type() != GgufType.ARRAY) {
      return describe(cursor, entry.type());
    }
    GgufType element = type(cursor);
    long count = cursor.int64();
    StringJoiner text = new StringJoiner(", ", count + " x " + element + " [", "]");
    for (long i = 0; i < Math.min(count, maxElements); i++) {
      text.add(describe(cursor, element));
    }
    if (count > maxElements) {
      text.add("…");
    }
    return text.toString();
  }

  /** The bytes of a value as they are in the file, without its type. */
  MemorySegment encoded(String key) {
    Entry entry = entry(key, "a value");
    return bytes.asSlice(entry.start(), entry.end() - entry.start());
  }

  private static String describe(GgufCursor cursor, GgufType type) {
    return switch (type) {
      case STRING -> cursor.string(Integer.MAX_VALUE);
      case BOOL -> cursor.int8() != 0 ? "true" : "false";
      case FLOAT32 -> Float.toString(Float.intBitsToFloat(cursor.int32()));
      case FLOAT64 -> Double.toString(Double.longBitsToDouble(cursor.int64()));
      case UINT64 -> Long.toUnsignedString(cursor.int64());
      case UINT8, INT8, UINT16, INT16, UINT32, INT32, INT64 -> Long.toString(integer(cursor, type));
      case ARRAY -> throw new AssertionError("arrays of arrays are refused at open");
    };
  }

  private static boolean bool(GgufCursor cursor) {
    byte value = cursor.int8();
    if (value != 0 && value != 1) {
      throw cursor.error("is a BOOL of value " + value + " where 0 or 1 is allowed");
    }
    return value == 1;
  }

  private static long integer(GgufCursor cursor, GgufType type) {
    return switch (type) {
      case UINT8 -> cursor.int8() & 0xffL;
      case INT8 -> cursor.int8();
      case UINT16 -> cursor.int16() & 0xffffL;
      case INT16 -> cursor.int16();
      case UINT32 -> cursor.int32() & 0xffffffffL;
      case INT32 -> cursor.int32();
      case INT64 -> cursor.int64();
      case UINT64 -> {
        long value = cursor.int64();
        if (value < 0) {
          throw cursor.error("is " + Long.toUnsignedString(value) + ", above 2^63 - 1");
        }
        yield value;
      }
      default -> throw new AssertionError(type);
    };
  }

  private static int fixedCount(GgufCursor cursor, GgufType element) {
    long count = cursor.int64();
    if (count < 0
        || count > cursor.remaining() / element.bytes()
        || count > Integer.MAX_VALUE - 8) {
      throw cursor.error(
          "has " + Long.toUnsignedString(count) + " elements, more than can be read");
    }
    return (int) count;
  }

  private GgufCursor scalar(String key, GgufType type) {
    Entry entry = entry(key, type.name());
    if (entry.type() != type) {
      throw wrongType(key, type.name(), entry.type().name());
    }
    return cursor(key, entry);
  }

  private GgufCursor array(String key, String expected) {
    Entry entry = entry(key, expected);
    if (entry.type() != GgufType.ARRAY) {
      throw wrongType(key, expected, entry.type().name());
    }
    return cursor(key, entry);
  }

  private GgufCursor cursor(String key, Entry entry) {
    GgufCursor cursor = new GgufCursor(file, bytes, entry.start());
    cursor.reading("metadata value", key);
    return cursor;
  }

  private Entry entry(String key, String expected) {
    Entry entry = entries.get(key);
    if (entry == null) {
      throw new ModelFormatException(
          file,
          "the metadata key " + quote(key) + " (" + expected + ") is missing",
          "convert the model again with a current converter");
    }
    return entry;
  }

  private ModelFormatException wrongType(String key, String expected, String found) {
    return new ModelFormatException(
        file,
        "the metadata key " + quote(key) + " should be " + expected + " but is " + found,
        "convert the model again with a current converter");
  }

  private ModelFormatException outOfRange(String key, long value) {
    return new ModelFormatException(
        file,
        "the metadata key "
            + quote(key)
            + " has the value "
            + value
            + ", outside -2147483648 to 2147483647",
        "convert the model again with a current converter");
  }
}
