package io.attention4j.llm.gguf;

/** Types of metadata values, in the order of their numbers in the file. */
public enum GgufType {
  UINT8(1),
  INT8(1),
  UINT16(2),
  INT16(2),
  UINT32(4),
  INT32(4),
  FLOAT32(4),
  BOOL(1),
  STRING(0),
  ARRAY(0),
  UINT64(8),
  INT64(8),
  FLOAT64(8);

  private static final GgufType[] VALUES = values();

  private final int bytes;

  GgufType(int bytes) {
    this.bytes = bytes;
  }

  /** Bytes of one value; 0 for strings and arrays, which vary. */
  public int bytes() {
    return bytes;
  }

  /** Whether values are integers; BOOL is not. */
  public boolean isInteger() {
    return switch (this) {
      case UINT8, INT8, UINT16, INT16, UINT32, INT32, UINT64, INT64 -> true;
      default -> false;
    };
  }

  /** The type with this number in the file, or null if the format defines none. */
  static GgufType ofId(int id) {
    return id >= 0 && id < VALUES.length ? VALUES[id] : null;
  }
}
