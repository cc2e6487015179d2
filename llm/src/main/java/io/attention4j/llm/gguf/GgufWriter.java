package io.attention4j.llm.gguf;

import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Shape;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.mapping.WholeFile;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Writes a GGUF version 3 file. Metadata and tensors are added in any order; {@link #write} then
 * streams the file to a temporary neighbour, syncs it to the disk and renames it into place, so an
 * interrupted write leaves what was there before. Not thread-safe.
 *
 * @see <a href="https://github.com/ggml-org/ggml/blob/master/docs/gguf.md">GGUF specification</a>
 */
public final class GgufWriter {
  private static final int VERSION = 3;
  private static final int ALIGNMENT = 32;
  private static final int MAX_DIMENSIONS = 4;
  private static final int CHUNK_BYTES = 1 << 24;

  /** Produces the bytes of a tensor when the file is written. */
  @FunctionalInterface
  public interface TensorData {
    /** Passes the tensor's bytes to the sink, in one or more consecutive pieces. */
    void writeTo(Sink sink) throws IOException;
  }

  /** Takes the next bytes of a tensor. */
  @FunctionalInterface
  public interface Sink {
    /** Writes a whole segment; it may be reused afterwards. */
    void accept(MemorySegment bytes) throws IOException;
  }

  private record Declared(DType dtype, Shape shape, TensorData data) {
    long bytes() {
      return dtype.bytes(shape.elements());
    }
  }

  private final Map<String, byte[]> pairs = new LinkedHashMap<>();
  private final Map<String, Declared> tensors = new LinkedHashMap<>();

  /** A file without metadata and tensors. */
  public GgufWriter() {}

  /** Adds a string. */
  public GgufWriter string(String key, String value) {
    return pair(key, GgufType.STRING, out -> out.string(value));
  }

  /** Adds a boolean. */
  public GgufWriter bool(String key, boolean value) {
    return pair(key, GgufType.BOOL, out -> out.int8(value ? 1 : 0));
  }

  /** Adds a UINT16, 0 to 65535. */
  public GgufWriter uint16(String key, int value) {
    if (value < 0 || value > 0xffff) {
      throw new IllegalArgumentException(key + " is " + value + ", outside 0 to 65535");
    }
    return pair(key, GgufType.UINT16, out -> out.int16(value));
  }

  /** Adds a UINT32, 0 to 2^32 - 1. */
  public GgufWriter uint32(String key, long value) {
    if (value < 0 || value > 0xffffffffL) {
      throw new IllegalArgumentException(key + " is " + value + ", outside 0 to 4294967295");
    }
    return pair(key, GgufType.UINT32, out -> out.int32((int) value));
  }

  /** Adds an INT32. */
  public GgufWriter int32(String key, int value) {
    return pair(key, GgufType.INT32, out -> out.int32(value));
  }

  /** Adds a FLOAT32. */
  public GgufWriter float32(String key, float value) {
    return pair(key, GgufType.FLOAT32, out -> out.int32(Float.floatToRawIntBits(value)));
  }

  /** Adds an array of strings. */
  public GgufWriter strings(String key, List<String> values) {
    return array(key, GgufType.STRING, values.size(), (out, i) -> out.string(values.get(i)));
  }

  /** Adds an array of INT32. */
  public GgufWriter int32s(String key, int... values) {
    return array(key, GgufType.INT32, values.length, (out, i) -> out.int32(values[i]));
  }

  /** Adds an array of FLOAT32. */
  public GgufWriter float32s(String key, float... values) {
    return array(
        key,
        GgufType.FLOAT32,
        values.length,
        (out, i) -> out.int32(Float.floatToRawIntBits(values[i])));
  }

  /** Adds an array of booleans. */
  public GgufWriter bools(String key, boolean... values) {
    return array(key, GgufType.BOOL, values.length, (out, i) -> out.int8(values[i] ? 1 : 0));
  }

  /** Adds a copy of a value of another file, whatever its type. */
  public GgufWriter copy(GgufMetadata metadata, String key) {
    byte[] value = metadata.encoded(key).toArray(ValueLayout.JAVA_BYTE);
    return pair(key, metadata.type(key), out -> out.bytes(value));
  }

  /** Adds a contiguous host tensor; its memory must stay valid until {@link #write} returns. */
  public GgufWriter tensor(String name, Tensor tensor) {
    if (!tensor.isContiguous()) {
      throw new IllegalArgumentException("tensor '" + name + "' must be contiguous to be written");
    }
    MemorySegment bytes = tensor.segment().asSlice(0, tensor.byteSize());
    return tensor(name, tensor.dtype(), tensor.shape(), sink -> sink.accept(bytes));
  }

  /**
   * Adds a tensor whose bytes are made while the file is written.
   *
   * @param shape 1 to 4 extents, outermost first; the last a multiple of the type's block size
   * @param data passes exactly {@code dtype.bytes(shape.elements())} bytes
   */
  public GgufWriter tensor(String name, DType dtype, Shape shape, TensorData data) {
    if (name.isEmpty() || shape.rank() < 1 || shape.rank() > MAX_DIMENSIONS) {
      throw new IllegalArgumentException(
          "tensor '" + name + "' of shape " + shape + " needs a name and 1 to 4 dimensions");
    }
    if (shape.extent(-1) % dtype.blockSize() != 0) {
      throw new IllegalArgumentException(
          "tensor '"
              + name
              + "' has rows of "
              + shape.extent(-1)
              + " elements, which must be a multiple of "
              + dtype.blockSize()
              + " for "
              + dtype);
    }
    if (tensors.put(name, new Declared(dtype, shape, data)) != null) {
      throw new IllegalArgumentException("tensor '" + name + "' was added twice");
    }
    return this;
  }

  /**
   * Writes the file, replacing one that is there.
   *
   * @throws IOException if writing fails or a tensor's data has another size than declared; the
   *     target is then as it was
   */
  public void write(Path target) throws IOException {
    WholeFile.write(target, this::write);
  }

  private void write(FileChannel channel) throws IOException {
    Bytes header = new Bytes();
    header.bytes("GGUF".getBytes(StandardCharsets.US_ASCII));
    header.int32(VERSION);
    header.int64(tensors.size());
    header.int64(pairs.size());
    pairs.values().forEach(header::bytes);
    long offset = 0;
    for (Map.Entry<String, Declared> entry : tensors.entrySet()) {
      Declared tensor = entry.getValue();
      header.string(entry.getKey());
      header.int32(tensor.shape().rank());
      for (int i = tensor.shape().rank() - 1; i >= 0; i--) {
        header.int64(tensor.shape().extent(i));
      }
      header.int32(tensor.dtype().ggmlId());
      header.int64(offset);
      offset = aligned(offset + tensor.bytes());
    }
    writeFully(channel, ByteBuffer.wrap(header.toByteArray()));
    for (Map.Entry<String, Declared> entry : tensors.entrySet()) {
      pad(channel);
      long start = channel.position();
      entry.getValue().data().writeTo(bytes -> writeChunks(channel, bytes));
      long written = channel.position() - start;
      if (written != entry.getValue().bytes()) {
        throw new IOException(
            "tensor '"
                + entry.getKey()
                + "' was declared with "
                + entry.getValue().bytes()
                + " bytes but gave "
                + written);
      }
    }
    pad(channel);
  }

  private static void writeChunks(FileChannel channel, MemorySegment bytes) throws IOException {
    for (long from = 0; from < bytes.byteSize(); from += CHUNK_BYTES) {
      long size = Math.min(CHUNK_BYTES, bytes.byteSize() - from);
      writeFully(channel, bytes.asSlice(from, size).asByteBuffer());
    }
  }

  private static void pad(FileChannel channel) throws IOException {
    long position = channel.position();
    writeFully(channel, ByteBuffer.allocate((int) (aligned(position) - position)));
  }

  private static void writeFully(FileChannel channel, ByteBuffer buffer) throws IOException {
    while (buffer.hasRemaining()) {
      channel.write(buffer);
    }
  }

  private static long aligned(long offset) {
    return (offset + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }

  private interface Value {
    void writeTo(Bytes out);
  }

  private interface Element {
    void writeTo(Bytes out, int index);
  }

  private GgufWriter array(String key, GgufType type, int count, Element element) {
    return pair(
        key,
        GgufType.ARRAY,
        out -> {
          out.int32(type.ordinal());
          out.int64(count);
          for (int i = 0; i < count; i++) {
            element.writeTo(out, i);
          }
        });
  }

  private GgufWriter pair(String key, GgufType type, Value value) {
    if (key.equals("general.alignment")) {
      throw new IllegalArgumentException(
          "general.alignment is the writer's own: tensors are always aligned to " + ALIGNMENT);
    }
    Bytes out = new Bytes();
    out.string(key);
    out.int32(type.ordinal());
    value.writeTo(out);
    if (pairs.put(key, out.toByteArray()) != null) {
      throw new IllegalArgumentException("metadata key '" + key + "' was added twice");
    }
    return this;
  }

  /** Little-endian bytes of the header. */
  private static final class Bytes {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteBuffer word = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);

    void bytes(byte[] value) {
      out.writeBytes(value);
    }

    void int8(int value) {
      out.write(value);
    }

    void int16(int value) {
      word.putShort(0, (short) value);
      out.write(word.array(), 0, Short.BYTES);
    }

    void int32(int value) {
      word.putInt(0, value);
      out.write(word.array(), 0, Integer.BYTES);
    }

    void int64(long value) {
      word.putLong(0, value);
      out.write(word.array(), 0, Long.BYTES);
    }

    void string(String value) {
      byte[] utf8 = value.getBytes(StandardCharsets.UTF_8);
      int64(utf8.length);
      out.writeBytes(utf8);
    }

    byte[] toByteArray() {
      return out.toByteArray();
    }
  }
}
