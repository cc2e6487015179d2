package io.attention4j.llm.safetensors;

import com.fasterxml.jackson.core.JsonGenerator;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.mapping.WholeFile;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.Map;

/** Writes {@code .safetensors} files, which appear whole or not at all. */
public final class SafetensorsWriter {
  /** The format wants tensor data to begin at a multiple of this. */
  private static final int ALIGNMENT_BYTES = 8;

  private static final long MOST_BYTES_PER_WRITE = 1 << 30;

  private SafetensorsWriter() {}

  /**
   * Writes the tensors in the order of the map.
   *
   * @param tensors host tensors of plain types (no GGML blocks), contiguous; alive until this
   *     returns
   * @throws IllegalArgumentException if a tensor is of another kind; names it
   * @throws IOException if writing fails; a file that was there is then as it was
   */
  public static void write(Path file, Map<String, Tensor> tensors) throws IOException {
    byte[] header = header(tensors);
    WholeFile.write(
        file,
        channel -> {
          ByteBuffer length = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
          writeAll(channel, length.putLong(header.length).flip());
          writeAll(channel, ByteBuffer.wrap(header));
          for (Tensor tensor : tensors.values()) {
            for (long at = 0; at < tensor.byteSize(); at += MOST_BYTES_PER_WRITE) {
              long bytes = Math.min(MOST_BYTES_PER_WRITE, tensor.byteSize() - at);
              writeAll(channel, tensor.segment().asSlice(at, bytes).asByteBuffer());
            }
          }
        });
  }

  private static byte[] header(Map<String, Tensor> tensors) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (JsonGenerator json = SafetensorsHeader.JSON.createGenerator(bytes)) {
      json.writeStartObject();
      long begin = 0;
      for (Map.Entry<String, Tensor> entry : tensors.entrySet()) {
        Tensor tensor = entry.getValue();
        json.writeObjectFieldStart(entry.getKey());
        json.writeStringField("dtype", typeName(entry.getKey(), tensor));
        json.writeArrayFieldStart("shape");
        for (long extent : tensor.shape().extents()) {
          json.writeNumber(extent);
        }
        json.writeEndArray();
        json.writeArrayFieldStart("data_offsets");
        json.writeNumber(begin);
        begin += tensor.byteSize();
        json.writeNumber(begin);
        json.writeEndArray();
        json.writeEndObject();
      }
      json.writeEndObject();
    }
    while (bytes.size() % ALIGNMENT_BYTES != 0) {
      bytes.write(' ');
    }
    return bytes.toByteArray();
  }

  private static String typeName(String name, Tensor tensor) {
    DType type = tensor.dtype();
    if (type.isBlocked() || !tensor.isContiguous()) {
      throw new IllegalArgumentException(
          "tensor '"
              + name
              + "' is "
              + (type.isBlocked() ? "of block format " + type : "not contiguous")
              + "; safetensors hold contiguous plain numbers, so convert it first");
    }
    return type.name();
  }

  private static void writeAll(FileChannel channel, ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }
}
