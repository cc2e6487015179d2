package io.attention4j.llm.gguf;

import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Shape;
import io.attention4j.engine.tensor.Tensor;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;

/** Small files for tests: a good one by the writer, and bad ones byte by byte. */
final class TinyGguf {
  private TinyGguf() {}

  /** About 1 kB: every metadata type the writer has, tensors of four types. */
  static void write(Path file) throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      GgufWriter writer = metadata();
      writer.tensor("a", Tensor.ofFloats(arena, ramp(6), 2, 3));
      writer.tensor("norm", Tensor.ofFloats(arena, ramp(5), 5));
      writer.tensor("q8", DType.Q8_0, Shape.of(2, 64), sink -> sink.accept(bytes(arena, 2 * 68)));
      writer.tensor("k", DType.Q4_K, Shape.of(1, 1, 256), sink -> sink.accept(bytes(arena, 144)));
      writer.tensor("empty", DType.F16, Shape.of(0, 4), sink -> {});
      writer.write(file);
    }
  }

  static GgufWriter metadata() {
    return new GgufWriter()
        .string("general.architecture", "tiny")
        .bool("tiny.flag", true)
        .uint16("tiny.u16", 65535)
        .uint32("tiny.u32", 4294967295L)
        .int32("tiny.i32", -7)
        .float32("tiny.f32", 1e-5f)
        .strings("tiny.tokens", List.of("", "a", "é", "▁the", "🙂"))
        .int32s("tiny.types", 1, -2, 3)
        .float32s("tiny.scores", 0f, -1.5f, Float.NEGATIVE_INFINITY)
        .bools("tiny.pattern", true, false, true);
  }

  static float[] ramp(int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = i + 0.5f;
    }
    return values;
  }

  static MemorySegment bytes(Arena arena, int count) {
    MemorySegment bytes = arena.allocate(count);
    for (int i = 0; i < count; i++) {
      bytes.set(java.lang.foreign.ValueLayout.JAVA_BYTE, i, (byte) (i * 7));
    }
    return bytes;
  }

  /** Raw little-endian bytes of a file under construction. */
  static final class Raw {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    static Raw header(int version, long tensors, long pairs) {
      return new Raw().ascii("GGUF").u32(version).u64(tensors).u64(pairs);
    }

    Raw ascii(String text) {
      out.writeBytes(text.getBytes(StandardCharsets.US_ASCII));
      return this;
    }

    Raw u8(int value) {
      out.write(value);
      return this;
    }

    Raw u32(long value) {
      out.writeBytes(
          ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt((int) value).array());
      return this;
    }

    Raw u64(long value) {
      out.writeBytes(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array());
      return this;
    }

    Raw string(String text) {
      byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
      u64(utf8.length);
      out.writeBytes(utf8);
      return this;
    }

    /** A tensor info; extents innermost first, as in the file. */
    Raw tensor(String name, long type, long offset, long... ne) {
      string(name).u32(ne.length);
      for (long extent : ne) {
        u64(extent);
      }
      return u32(type).u64(offset);
    }

    /** Pads to 32 and appends zeros. */
    Raw data(int bytes) {
      while (out.size() % 32 != 0) {
        out.write(0);
      }
      out.writeBytes(new byte[bytes]);
      return this;
    }

    byte[] bytes() {
      return out.toByteArray();
    }
  }
}
