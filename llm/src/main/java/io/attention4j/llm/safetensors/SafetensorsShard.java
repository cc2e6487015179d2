package io.attention4j.llm.safetensors;

import static io.attention4j.llm.format.ModelFormatException.quote;

import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.format.ModelFormatException;
import io.attention4j.llm.mapping.MappedFile;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;

/**
 * One mapped and checked safetensors file.
 *
 * @see <a href="https://github.com/huggingface/safetensors#format">safetensors format</a>
 */
final class SafetensorsShard {
  private static final long MAX_HEADER_BYTES = 100_000_000; // the format's own limit
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final Path file;
  private final MemorySegment data;
  private final Map<String, SafetensorsTensorInfo> tensors;

  private SafetensorsShard(
      Path file, MemorySegment data, Map<String, SafetensorsTensorInfo> tensors) {
    this.file = file;
    this.data = data;
    this.tensors = tensors;
  }

  Path file() {
    return file;
  }

  /** By name, in the order of the file. */
  Map<String, SafetensorsTensorInfo> tensors() {
    return tensors;
  }

  /** A view of exactly the bytes of a tensor. */
  Tensor tensor(String name, SafetensorsTensorInfo info) {
    DType dtype = info.type().dtype();
    if (dtype == null) {
      throw new ModelFormatException(
          file,
          "the tensor " + quote(name) + " has the dtype " + info.type() + ", which cannot be read",
          "use a model whose weights are F32, F16 or BF16");
    }
    return Tensor.of(data.asSlice(info.begin(), info.end() - info.begin()), dtype, info.shape());
  }

  static SafetensorsShard open(Path file, Arena arena) throws IOException {
    MemorySegment bytes = MappedFile.map(file, arena);
    if (bytes.byteSize() < Long.BYTES) {
      throw damaged(
          file,
          "this is not a safetensors file: it has " + bytes.byteSize() + " bytes, not even 8");
    }
    long headerBytes = bytes.get(LONG, 0);
    if (headerBytes < 0 || headerBytes > MAX_HEADER_BYTES) {
      throw damaged(
          file,
          "this is not a safetensors file: its header would have "
              + Long.toUnsignedString(headerBytes)
              + " bytes where "
              + MAX_HEADER_BYTES
              + " are allowed");
    }
    if (headerBytes > bytes.byteSize() - Long.BYTES) {
      throw damaged(
          file,
          "the header of " + headerBytes + " bytes does not fit the file of " + bytes.byteSize());
    }
    Map<String, SafetensorsTensorInfo> tensors =
        SafetensorsHeader.parseTensors(file, bytes.asSlice(Long.BYTES, headerBytes));
    MemorySegment data = bytes.asSlice(Long.BYTES + headerBytes);
    checkRegions(file, tensors, data.byteSize());
    return new SafetensorsShard(file, data, tensors);
  }

  /** The regions must cover the data section without holes or overlaps, as the format demands. */
  private static void checkRegions(
      Path file, Map<String, SafetensorsTensorInfo> tensors, long dataBytes) {
    String[] names = tensors.keySet().toArray(new String[0]);
    Arrays.sort(names, (a, b) -> compare(tensors.get(a), tensors.get(b)));
    long covered = 0;
    for (String name : names) {
      SafetensorsTensorInfo info = tensors.get(name);
      if (info.end() > dataBytes) {
        throw damaged(
            file,
            "the tensor "
                + quote(name)
                + " ends at byte "
                + info.end()
                + " of "
                + dataBytes
                + " bytes of tensor data");
      }
      if (info.begin() != covered) {
        throw damaged(
            file,
            "the tensor "
                + quote(name)
                + " starts at byte "
                + info.begin()
                + " of the tensor data where "
                + covered
                + " was expected: tensors overlap or leave a hole");
      }
      covered = info.end();
    }
    if (covered != dataBytes) {
      throw damaged(
          file,
          "the tensors take " + covered + " bytes but the file has " + dataBytes + " for them");
    }
  }

  private static int compare(SafetensorsTensorInfo a, SafetensorsTensorInfo b) {
    int byBegin = Long.compare(a.begin(), b.begin());
    return byBegin != 0 ? byBegin : Long.compare(a.end(), b.end());
  }

  private static ModelFormatException damaged(Path file, String problem) {
    return new ModelFormatException(
        file, problem, "the file is incomplete or damaged: download it again");
  }
}
