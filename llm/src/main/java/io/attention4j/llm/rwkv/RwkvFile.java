package io.attention4j.llm.rwkv;

import static io.attention4j.llm.format.ModelFormatException.quote;

import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Shape;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.format.ModelFormatException;
import io.attention4j.llm.format.TensorSource;
import io.attention4j.llm.mapping.MappedFile;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * A mapped .bin file of rwkv.cpp, format 101, little-endian: magic, version, vocabulary, modelDim,
 * layers and main data type as 32-bit words, then per tensor the number of dimensions, length of
 * the name, data type, extents (innermost first), name and data. Every length is compared with what
 * is left of the file before it is used. Tensors have the names of a GGUF file of architecture
 * rwkv7.
 *
 * @see <a href="https://github.com/RWKV/rwkv.cpp/blob/master/docs/FILE_FORMAT.md">file format</a>
 */
public final class RwkvFile implements TensorSource {
  private static final int MAGIC = 0x67676d66;
  private static final int VERSION = 101;
  private static final int HEADER_BYTES = 6 * Integer.BYTES;
  private static final int MAX_DIMENSIONS = 4;
  private static final int MAX_NAME_BYTES = 256;
  private static final int MAX_EXTENT = 1 << 24;
  private static final long MAX_ELEMENTS = 1L << 40;
  private static final int MAX_LAYERS = 4096;
  private static final String REMEDY =
      "the file is damaged or incomplete: download or convert it again";

  private static final Map<Integer, DType> TYPES =
      Map.of(
          0,
          DType.F32,
          1,
          DType.F16,
          2,
          DType.Q4_0,
          3,
          DType.Q4_1,
          7,
          DType.Q5_0,
          8,
          DType.Q5_1,
          9,
          DType.Q8_0);

  private final Path path;
  private final Arena arena;
  private final MemorySegment bytes;
  private final Map<String, Tensor> tensors = new LinkedHashMap<>();
  private int vocabulary;
  private int modelDim;
  private int layers;
  private long position;

  private RwkvFile(Path path, Arena arena, MemorySegment bytes) {
    this.path = path;
    this.arena = arena;
    this.bytes = bytes;
  }

  /** Whether a file starts like one; false too if it is shorter than the magic number. */
  public static boolean isOne(Path path) throws IOException {
    if (!Files.isRegularFile(path)) {
      return false;
    }
    ByteBuffer start = ByteBuffer.allocate(Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      while (start.hasRemaining() && channel.read(start) >= 0) {
        // a read may be short
      }
    }
    return !start.hasRemaining() && start.getInt(0) == MAGIC;
  }

  /**
   * Opens a file.
   *
   * @throws ModelFormatException if it is no such file or damaged; nothing stays mapped
   * @throws IOException if the system cannot read it
   */
  public static RwkvFile open(Path path) throws IOException {
    Arena arena = Arena.ofShared();
    boolean opened = false;
    try {
      RwkvFile file = new RwkvFile(path, arena, MappedFile.map(path, arena));
      file.readHeader();
      while (file.position < file.bytes.byteSize()) {
        file.readTensor();
      }
      opened = true;
      return file;
    } finally {
      if (!opened) {
        arena.close();
      }
    }
  }

  private void readHeader() {
    if (bytes.byteSize() < HEADER_BYTES) {
      throw damaged("the header ends early: the file has " + bytes.byteSize() + " bytes");
    }
    if (int32() != MAGIC) {
      throw damaged("this is no file of rwkv.cpp");
    }
    int version = int32();
    if (version != VERSION) {
      throw new ModelFormatException(
          path,
          "the file has format " + Integer.toUnsignedString(version) + " where 101 is known",
          "convert the model again with a current rwkv.cpp");
    }
    vocabulary = bounded("vocabulary", int32(), MAX_EXTENT);
    modelDim = bounded("hidden state", int32(), MAX_EXTENT);
    layers = bounded("number of layers", int32(), MAX_LAYERS);
    int32(); // the type of most matrices; each tensor says its own
  }

  private void readTensor() {
    long start = position;
    if (bytes.byteSize() - position < 3 * Integer.BYTES) {
      throw damaged("the tensor at byte " + start + " ends early");
    }
    int dimensions = int32();
    int nameBytes = int32();
    int type = int32();
    if (dimensions < 1 || dimensions > MAX_DIMENSIONS) {
      throw damaged(
          "the tensor at byte "
              + start
              + " has "
              + Integer.toUnsignedString(dimensions)
              + " dimensions where 1 to 4 are possible");
    }
    if (nameBytes < 1 || nameBytes > MAX_NAME_BYTES) {
      throw damaged(
          "the tensor at byte "
              + start
              + " has a name of "
              + Integer.toUnsignedString(nameBytes)
              + " bytes where 1 to 256 are possible");
    }
    if (bytes.byteSize() - position < dimensions * Integer.BYTES + nameBytes) {
      throw damaged("the tensor at byte " + start + " ends early");
    }
    long[] extents = new long[dimensions];
    for (int i = 0; i < dimensions; i++) {
      extents[dimensions - 1 - i] = int32();
    }
    String name =
        new String(
            bytes.asSlice(position, nameBytes).toArray(ValueLayout.JAVA_BYTE),
            StandardCharsets.UTF_8);
    position += nameBytes;
    DType dtype = TYPES.get(type);
    if (dtype == null) {
      throw new ModelFormatException(
          path,
          "the tensor "
              + quote(name)
              + " has the data type "
              + Integer.toUnsignedString(type)
              + ", which cannot be read",
          "use FP32, FP16, Q4_0, Q4_1, Q5_0, Q5_1 or Q8_0");
    }
    add(name, dtype, extents);
  }

  private void add(String name, DType dtype, long[] extents) {
    long elements = 1;
    for (long extent : extents) {
      if (extent < 1 || extent > MAX_EXTENT) {
        throw damaged("the tensor " + quote(name) + " has an extent of " + extent);
      }
      // Saturates: four extents of 2^24 are more than a long holds, and no file has so much.
      elements = elements > MAX_ELEMENTS / extent ? MAX_ELEMENTS : elements * extent;
    }
    long columns = extents[extents.length - 1];
    if (columns % dtype.blockSize() != 0) {
      throw damaged(
          "the tensor " + quote(name) + " has rows of " + columns + " elements in " + dtype);
    }
    long left = bytes.byteSize() - position;
    if (elements == MAX_ELEMENTS || dtype.bytes(elements) > left) {
      throw damaged(
          "the tensor "
              + quote(name)
              + " of "
              + elements
              + " elements does not fit the "
              + left
              + " bytes that are left of the file");
    }
    long size = dtype.bytes(elements);
    Tensor tensor = Tensor.of(bytes.asSlice(position, size), dtype, Shape.of(extents));
    if (tensors.putIfAbsent(RwkvNames.gguf(name), tensor) != null) {
      throw damaged("there are two tensors " + quote(name));
    }
    position += size;
  }

  private int int32() {
    int value = bytes.get(Tensor.INT, position);
    position += Integer.BYTES;
    return value;
  }

  private int bounded(String name, int value, int max) {
    if (value < 1 || value > max) {
      throw damaged(
          "the "
              + name
              + " is "
              + Integer.toUnsignedString(value)
              + " where 1 to "
              + max
              + " is possible");
    }
    return value;
  }

  private ModelFormatException damaged(String problem) {
    return new ModelFormatException(path, problem, REMEDY);
  }

  /** The file. */
  public Path path() {
    return path;
  }

  /** Tokens of the vocabulary. */
  public int vocabulary() {
    return vocabulary;
  }

  /** Elements of the hidden state. */
  public int modelDim() {
    return modelDim;
  }

  /** Number of layers. */
  public int layers() {
    return layers;
  }

  @Override
  public Set<String> names() {
    return Collections.unmodifiableSet(tensors.keySet());
  }

  @Override
  public Optional<Tensor> find(String name) {
    return Optional.ofNullable(tensors.get(name));
  }

  @Override
  public Tensor tensor(String name) {
    return find(name)
        .orElseThrow(
            () ->
                new ModelFormatException(
                    path,
                    "the tensor " + quote(name) + " (by its GGUF name) is missing",
                    "use a file of an RWKV-7 model"));
  }

  @Override
  public void close() {
    if (arena.scope().isAlive()) {
      arena.close();
    }
  }
}
