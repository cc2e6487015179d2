package io.attention4j.llm.gguf;

import static io.attention4j.llm.format.ModelFormatException.quote;

import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Shape;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.format.ModelFormatException;
import io.attention4j.llm.mapping.MappedFile;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * One parsed file of a GGUF model; everything in it has been checked against the file's size.
 *
 * @see <a href="https://github.com/ggml-org/ggml/blob/master/docs/gguf.md">GGUF specification</a>
 */
final class GgufPart {
  private static final int MAGIC = 0x46554747; // "GGUF", read little-endian
  private static final int MAX_NAME_BYTES = 1 << 16;
  private static final int MAX_DIMENSIONS = 4;
  private static final long MAX_ALIGNMENT = 1 << 24;
  private static final int DEFAULT_ALIGNMENT = 32;
  // Least bytes of a metadata pair (key length, key, type, value) and of a tensor info (name
  // length,
  // dimension count, one extent, type, offset).
  private static final int MIN_PAIR_BYTES = 8 + 4 + 1;
  private static final int MIN_TENSOR_BYTES = 8 + 4 + 8 + 4 + 8;

  private final Path file;
  private final MemorySegment bytes;
  private final int version;
  private final GgufMetadata metadata;
  private final Map<String, GgufTensorInfo> tensors;

  private GgufPart(
      Path file,
      MemorySegment bytes,
      int version,
      GgufMetadata metadata,
      Map<String, GgufTensorInfo> tensors) {
    this.file = file;
    this.bytes = bytes;
    this.version = version;
    this.metadata = metadata;
    this.tensors = tensors;
  }

  Path file() {
    return file;
  }

  int version() {
    return version;
  }

  GgufMetadata metadata() {
    return metadata;
  }

  /** By name, in the order of the file. */
  Map<String, GgufTensorInfo> tensors() {
    return tensors;
  }

  /** A view of exactly the bytes of a tensor. */
  Tensor tensor(GgufTensorInfo info) {
    return Tensor.of(bytes.asSlice(info.offset(), info.bytes()), info.dtype(), info.shape());
  }

  static GgufPart open(Path file, Arena arena) throws IOException {
    MemorySegment bytes = MappedFile.map(file, arena);
    GgufCursor cursor = new GgufCursor(file, bytes, 0);
    int version = version(file, cursor);
    long tensorCount = count(cursor, "tensors", MIN_TENSOR_BYTES);
    long pairCount = count(cursor, "metadata pairs", MIN_PAIR_BYTES);
    GgufMetadata metadata = GgufMetadata.parse(file, bytes, cursor, pairCount);
    long alignment = alignment(file, metadata);
    Map<String, GgufTensorInfo> relative = new LinkedHashMap<>();
    for (long i = 0; i < tensorCount; i++) {
      readTensorInfo(file, cursor, alignment, relative);
    }
    long dataStart = (cursor.position() + alignment - 1) / alignment * alignment;
    Map<String, GgufTensorInfo> tensors =
        place(file, relative, dataStart, alignment, bytes.byteSize());
    return new GgufPart(file, bytes, version, metadata, tensors);
  }

  private static int version(Path file, GgufCursor cursor) {
    if (cursor.remaining() < Integer.BYTES || cursor.int32() != MAGIC) {
      throw new ModelFormatException(
          file, "this is not a GGUF file: it does not start with 'GGUF'", "name a .gguf model");
    }
    int version = cursor.int32();
    if (version != 0 && (version & 0xffff) == 0) {
      throw new ModelFormatException(
          file, "this is a big-endian GGUF file", "use the little-endian one");
    }
    if (version != 2 && version != 3) {
      throw new ModelFormatException(
          file,
          "this is GGUF version " + (version & 0xffffffffL) + " and versions 2 and 3 can be read",
          "convert the model again with a current converter");
    }
    return version;
  }

  private static long count(GgufCursor cursor, String what, int minBytesEach) {
    long count = cursor.int64();
    if (count < 0 || count > cursor.remaining() / minBytesEach) {
      throw cursor.error(
          "promises "
              + Long.toUnsignedString(count)
              + " "
              + what
              + ", more than the "
              + cursor.remaining()
              + " bytes left in the file can hold");
    }
    return count;
  }

  private static long alignment(Path file, GgufMetadata metadata) {
    if (!metadata.contains("general.alignment")) {
      return DEFAULT_ALIGNMENT;
    }
    long alignment = metadata.int64("general.alignment");
    if (alignment < 1 || alignment > MAX_ALIGNMENT || Long.bitCount(alignment) != 1) {
      throw new ModelFormatException(
          file,
          "general.alignment is " + alignment + ", not a power of two from 1 to " + MAX_ALIGNMENT,
          "the file is damaged: download or convert it again");
    }
    return alignment;
  }

  private static void readTensorInfo(
      Path file, GgufCursor cursor, long alignment, Map<String, GgufTensorInfo> tensors) {
    cursor.reading("tensor name", "");
    String name = cursor.string(MAX_NAME_BYTES);
    if (name.isEmpty()) {
      throw cursor.error("is empty");
    }
    cursor.reading("tensor", name);
    int rank = cursor.int32();
    if (rank < 1 || rank > MAX_DIMENSIONS) {
      throw cursor.error(
          "has "
              + (rank & 0xffffffffL)
              + " dimensions where 1 to "
              + MAX_DIMENSIONS
              + " are allowed");
    }
    long[] extents = new long[rank];
    for (int i = rank - 1; i >= 0; i--) {
      extents[i] = cursor.int64();
    }
    int typeId = cursor.int32();
    DType dtype = DType.ofGgmlId(typeId);
    if (dtype == null) {
      throw new ModelFormatException(
          file,
          "the tensor "
              + quote(name)
              + " has the type "
              + GgmlTypeNames.name(typeId)
              + ", which cannot be read",
          "use a file whose tensors are " + GgmlTypeNames.supported());
    }
    Shape shape = shape(cursor, dtype, extents);
    long offset = cursor.int64();
    if (offset < 0 || offset % alignment != 0) {
      throw cursor.error(
          "has the offset "
              + Long.toUnsignedString(offset)
              + ", not a multiple of the alignment "
              + alignment);
    }
    if (tensors.put(name, new GgufTensorInfo(dtype, shape, offset)) != null) {
      throw cursor.error("occurs twice");
    }
  }

  private static Shape shape(GgufCursor cursor, DType dtype, long[] extents) {
    for (long extent : extents) {
      if (extent < 0) {
        throw cursor.error("has an extent of " + Long.toUnsignedString(extent));
      }
    }
    long row = extents[extents.length - 1];
    if (row % dtype.blockSize() != 0) {
      throw cursor.error(
          "has rows of "
              + row
              + " elements, not a multiple of the block size "
              + dtype.blockSize()
              + " of "
              + dtype);
    }
    try {
      Shape shape = Shape.of(extents);
      dtype.bytes(shape.elements());
      return shape;
    } catch (ArithmeticException overflow) {
      throw cursor.error(
          "has the shape " + Arrays.toString(extents) + ", whose size in bytes exceeds 2^63");
    }
  }

  /** Turns offsets into file offsets; checks that regions lie in the file, one behind the other. */
  private static Map<String, GgufTensorInfo> place(
      Path file,
      Map<String, GgufTensorInfo> relative,
      long dataStart,
      long alignment,
      long fileBytes) {
    long dataBytes = Math.max(0, fileBytes - dataStart);
    for (Map.Entry<String, GgufTensorInfo> entry : relative.entrySet()) {
      GgufTensorInfo info = entry.getValue();
      long bytes = info.bytes();
      // An empty tensor in a file without data section has nowhere to point to but its start.
      if (bytes > 0 && (info.offset() > dataBytes || bytes > dataBytes - info.offset())) {
        throw new ModelFormatException(
            file,
            "the tensor "
                + quote(entry.getKey())
                + " of "
                + bytes
                + " bytes at offset "
                + info.offset()
                + " reaches beyond the "
                + dataBytes
                + " bytes of tensor data",
            "the file is incomplete or damaged: download it again");
      }
      entry.setValue(
          new GgufTensorInfo(
              info.dtype(), info.shape(), bytes == 0 ? 0 : dataStart + info.offset()));
    }
    checkPacked(file, relative, dataStart, alignment);
    return relative;
  }

  /**
   * Tensors fill the data section in some order, with nothing but padding to the alignment between
   * them. A hole is a tensor that is larger than its type and shape say.
   */
  private static void checkPacked(
      Path file, Map<String, GgufTensorInfo> tensors, long dataStart, long alignment) {
    List<String> names =
        tensors.keySet().stream()
            .filter(name -> tensors.get(name).bytes() > 0)
            .sorted(Comparator.comparingLong(name -> tensors.get(name).offset()))
            .toList();
    long end = dataStart;
    String before = null;
    for (String name : names) {
      GgufTensorInfo info = tensors.get(name);
      if (info.offset() < end) {
        throw new ModelFormatException(
            file,
            "the tensors " + quote(before) + " and " + quote(name) + " overlap",
            "the file is damaged: download or convert it again");
      }
      if (info.offset() - end >= alignment) {
        throw new ModelFormatException(
            file,
            (info.offset() - end)
                + " bytes before the tensor "
                + quote(name)
                + " belong to no tensor"
                + (before == null
                    ? ""
                    : ", so the type or shape of " + quote(before) + " is not the true one"),
            "the file is damaged: download or convert it again");
      }
      end = info.offset() + info.bytes();
      before = name;
    }
  }
}
