package io.attention4j.llm.pickle;

import static io.attention4j.llm.format.ModelFormatException.quote;

import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Shape;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.format.ModelFormatException;
import io.attention4j.llm.format.TensorSource;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;

/**
 * The tensors of a file that {@code torch.save} wrote (.pth, .pt, .bin): a zip archive with a
 * pickle that describes them and their bytes. Nothing of the pickle is executed; classes and
 * functions that it names are not looked up. The file is hostile until proven otherwise: every
 * length, offset and count is checked, and compressed entries, which torch does not write, are
 * refused.
 *
 * <p>Names of nested dicts are joined by dots; a dict {@code state_dict} at the top stands for all.
 * What is no tensor is left out. Storages are read to memory when they are first asked for; the
 * tensors live until {@link #close}.
 */
public final class TorchFile implements TensorSource {
  static final String DAMAGED = "the file is damaged or not meant for this: save it again";

  private static final byte[] ZIP = {'P', 'K', 3, 4};
  private static final int MAX_PICKLE_BYTES = 64 << 20;
  private static final int MAX_DEPTH = 32;
  private static final int MAX_VALUES = 1 << 20;
  private static final int MAX_NAME = 1024;
  private static final int MAX_RANK = 8;

  /** Tied weights are few; a file that is mostly views of itself wants to fill a disk. */
  private static final int MOST_VIEWS_OF_A_BYTE = 4;

  private static final Map<String, DType> TYPES =
      Map.of(
          "torch.FloatStorage", DType.F32,
          "torch.HalfStorage", DType.F16,
          "torch.BFloat16Storage", DType.BF16,
          "torch.DoubleStorage", DType.F64,
          "torch.CharStorage", DType.I8,
          "torch.ShortStorage", DType.I16,
          "torch.IntStorage", DType.I32,
          "torch.LongStorage", DType.I64);

  private final Path file;
  private final ZipFile zip;
  private final String prefix;
  private final Arena arena = Arena.ofShared();
  private final Map<String, Pickle.TensorRef> tensors = new LinkedHashMap<>();
  private final Map<String, MemorySegment> storages = new HashMap<>();
  private final List<String> leftOut = new ArrayList<>();
  private int values;

  private TorchFile(Path file, ZipFile zip, String prefix) {
    this.file = file;
    this.zip = zip;
    this.prefix = prefix;
  }

  /**
   * Opens a file and reads its pickle.
   *
   * @throws ModelFormatException if it is missing, of another format, or bad
   * @throws IOException if the system cannot read it
   */
  public static TorchFile open(Path file) throws IOException {
    requireZip(file);
    ZipFile zip;
    try {
      zip = new ZipFile(file.toFile());
    } catch (ZipException | EOFException e) {
      throw new ModelFormatException(
          file,
          "the zip archive is malformed: " + quote(String.valueOf(e.getMessage())),
          DAMAGED,
          e);
    }
    TorchFile opened = null;
    boolean complete = false;
    try {
      String pickle = pickleName(file, zip);
      opened = new TorchFile(file, zip, pickle.substring(0, pickle.lastIndexOf('/') + 1));
      opened.requireLittleEndian();
      opened.list(pickle);
      complete = true;
      return opened;
    } finally {
      if (!complete) {
        if (opened != null) {
          opened.arena.close();
        }
        zip.close();
      }
    }
  }

  private static void requireZip(Path file) throws IOException {
    if (!Files.isRegularFile(file)) {
      throw new ModelFormatException(
          file, "there is no such file", "name a file that torch.save wrote");
    }
    byte[] start;
    try (InputStream in = Files.newInputStream(file)) {
      start = in.readNBytes(ZIP.length);
    }
    if (!Arrays.equals(start, ZIP)) {
      boolean isPickle = start.length > 1 && (start[0] & 0xff) == 0x80;
      throw new ModelFormatException(
          file,
          isPickle
              ? "this is a pickle without a zip archive, as PyTorch before 1.6 saved it"
              : "this is no zip archive, as torch.save writes it",
          isPickle
              ? "load it with a PyTorch that trusts it and save it again"
              : "name a .pth, .pt or .bin file");
    }
  }

  /** The one entry NAME/data.pkl. */
  private static String pickleName(Path file, ZipFile zip) {
    List<String> found =
        zip.stream()
            .map(ZipEntry::getName)
            .filter(name -> name.equals("data.pkl") || name.endsWith("/data.pkl"))
            .toList();
    if (found.size() != 1) {
      throw new ModelFormatException(
          file,
          "the archive has " + found.size() + " entries data.pkl where torch.save writes one",
          "name a .pth, .pt or .bin file of PyTorch");
    }
    return found.getFirst();
  }

  private void requireLittleEndian() throws IOException {
    ZipEntry entry = zip.getEntry(prefix + "byteorder");
    if (entry != null) {
      byte[] order = bytes(entry, MAX_RANK);
      if (!new String(order, StandardCharsets.US_ASCII).equals("little")) {
        throw error("its numbers are not little-endian");
      }
    }
  }

  private void list(String pickle) throws IOException {
    Object root = PickleReader.read(file, bytes(zip.getEntry(pickle), MAX_PICKLE_BYTES));
    if (root instanceof Pickle.Dict dict
        && dict.entries.get("state_dict") instanceof Pickle.Dict weights) {
      root = weights;
    }
    list("", root, 0);
    if (tensors.isEmpty()) {
      throw new ModelFormatException(
          file,
          "the pickle describes no tensor that can be read"
              + (leftOut.isEmpty() ? "" : ", only " + quote(leftOut.getFirst())),
          "save a state_dict (model.state_dict()), not a whole model");
    }
    requireFewViews();
  }

  private void list(String name, Object value, int depth) {
    values++;
    if (name.length() > MAX_NAME) {
      throw error("the name " + quote(name) + " is longer than " + MAX_NAME);
    }
    if (depth > MAX_DEPTH || values > MAX_VALUES) {
      throw error(
          "the pickle nests deeper than "
              + MAX_DEPTH
              + " or describes more than "
              + MAX_VALUES
              + " values");
    }
    switch (value) {
      case Pickle.Dict dict ->
          dict.entries.forEach((key, item) -> list(joined(name, key), item, depth + 1));
      case Pickle.Sequence list -> listAll(name, list.items, depth);
      case Pickle.Tuple tuple -> listAll(name, tuple.items, depth);
      case Pickle.TensorRef tensor -> add(name, tensor);
      case Pickle.Opaque opaque -> leftOut.add(name + " (" + opaque.type() + ")");
      default -> {} // a number or text: a setting, no weight
    }
  }

  private void listAll(String name, List<Object> items, int depth) {
    for (int i = 0; i < items.size(); i++) {
      list(joined(name, i), items.get(i), depth + 1);
    }
  }

  private static String joined(String name, Object key) {
    return name.isEmpty() ? key.toString() : name + "." + key;
  }

  private void add(String name, Pickle.TensorRef tensor) {
    if (!TYPES.containsKey(tensor.storage().type().toString())) {
      leftOut.add(name + " (" + tensor.storage().type() + ")");
      return;
    }
    check(name, tensor);
    if (tensors.put(name, tensor) != null) {
      throw error("the name " + quote(name) + " occurs twice");
    }
  }

  /** The view must lie in its storage, and the storage in its entry. */
  private void check(String name, Pickle.TensorRef tensor) {
    Pickle.StorageRef storage = tensor.storage();
    DType type = TYPES.get(storage.type().toString());
    ZipEntry entry = zip.getEntry(prefix + "data/" + storage.key());
    if (entry == null) {
      throw error("the bytes of the tensor " + quote(name) + " are missing");
    }
    requireStored(entry);
    if (storage.elements() < 0 || storage.elements() > entry.getSize() / type.blockBytes()) {
      throw error(
          "the tensor "
              + quote(name)
              + " claims a storage of "
              + storage.elements()
              + " elements of "
              + type
              + " but there are "
              + entry.getSize()
              + " bytes");
    }
    if (tensor.extents().length > MAX_RANK) {
      throw error("the tensor " + quote(name) + " has " + tensor.extents().length + " dimensions");
    }
    try {
      long elements = Shape.of(tensor.extents()).elements();
      long last = tensor.offset();
      for (int i = 0; i < tensor.extents().length && elements > 0; i++) {
        last =
            Math.addExact(last, Math.multiplyExact(tensor.extents()[i] - 1, tensor.strides()[i]));
      }
      boolean fits =
          tensor.offset() >= 0
              && elements <= storage.elements()
              && (elements == 0 || last < storage.elements());
      if (!fits) {
        throw error(
            "the tensor "
                + quote(name)
                + " of shape "
                + Shape.of(tensor.extents())
                + " does not fit its storage of "
                + storage.elements()
                + " elements");
      }
    } catch (ArithmeticException overflow) {
      throw error("the size of the tensor " + quote(name) + " overflows");
    }
  }

  private void requireFewViews() {
    long viewed = 0;
    Map<String, Long> stored = new HashMap<>();
    for (Pickle.TensorRef tensor : tensors.values()) {
      DType type = TYPES.get(tensor.storage().type().toString());
      viewed += type.bytes(Shape.of(tensor.extents()).elements());
      stored.put(tensor.storage().key(), type.bytes(tensor.storage().elements()));
    }
    long bytes = stored.values().stream().mapToLong(Long::longValue).sum();
    if (viewed / MOST_VIEWS_OF_A_BYTE > bytes) {
      throw error("its tensors are " + viewed + " bytes of views of " + bytes + " bytes");
    }
  }

  private void requireStored(ZipEntry entry) {
    boolean isPlain =
        entry.getMethod() == ZipEntry.STORED
            && entry.getSize() >= 0
            && entry.getSize() == entry.getCompressedSize();
    if (!isPlain) {
      throw error(
          "the entry " + quote(entry.getName()) + " is compressed, which torch.save never does");
    }
  }

  private byte[] bytes(ZipEntry entry, int most) throws IOException {
    requireStored(entry);
    if (entry.getSize() > most) {
      throw error(
          "the entry "
              + quote(entry.getName())
              + " has "
              + entry.getSize()
              + " bytes where "
              + most
              + " are allowed");
    }
    try (InputStream in = zip.getInputStream(entry)) {
      return in.readNBytes(most);
    } catch (ZipException | EOFException e) {
      throw new ModelFormatException(
          file, "the entry " + quote(entry.getName()) + " cannot be read", DAMAGED, e);
    }
  }

  @Override
  public Set<String> names() {
    return Collections.unmodifiableSet(tensors.keySet());
  }

  /** What has a type that this library does not have, or is an object of some class. */
  public List<String> leftOut() {
    return Collections.unmodifiableList(leftOut);
  }

  @Override
  public Optional<Tensor> find(String name) {
    Pickle.TensorRef ref = tensors.get(name);
    if (ref == null) {
      return Optional.empty();
    }
    DType type = TYPES.get(ref.storage().type().toString());
    MemorySegment storage = storage(ref.storage(), type);
    return Optional.of(rowMajor(storage, type, ref));
  }

  /** A view where elements lie row by row, else a copy. */
  private Tensor rowMajor(MemorySegment storage, DType type, Pickle.TensorRef ref) {
    Shape shape = Shape.of(ref.extents());
    long elements = shape.elements();
    if (elements == 0 || isRowMajor(shape, ref.strides())) {
      long first = type.bytes(elements == 0 ? 0 : ref.offset());
      return Tensor.of(storage.asSlice(first, type.bytes(elements)), type, shape);
    }
    Tensor copy;
    synchronized (storages) {
      copy = Tensor.allocate(arena, type, ref.extents());
    }
    MemorySegment target = copy.segment();
    int size = type.blockBytes();
    for (long i = 0; i < elements; i++) {
      long rest = i;
      long from = ref.offset();
      for (int dimension = shape.rank() - 1; dimension >= 0; dimension--) {
        from += rest % shape.extent(dimension) * ref.strides()[dimension];
        rest /= shape.extent(dimension);
      }
      MemorySegment.copy(storage, from * size, target, i * size, size);
    }
    return copy;
  }

  private static boolean isRowMajor(Shape shape, long[] strides) {
    long[] expected = shape.contiguousStrides();
    for (int i = 0; i < expected.length; i++) {
      if (shape.extent(i) != 1 && strides[i] != expected[i]) {
        return false;
      }
    }
    return true;
  }

  private MemorySegment storage(Pickle.StorageRef ref, DType type) {
    synchronized (storages) {
      MemorySegment known = storages.get(ref.key());
      if (known == null) {
        known = read(zip.getEntry(prefix + "data/" + ref.key()));
        storages.put(ref.key(), known);
      }
      return known.asSlice(0, type.bytes(ref.elements()));
    }
  }

  private MemorySegment read(ZipEntry entry) {
    MemorySegment memory = arena.allocate(Math.max(1, entry.getSize()), Tensor.ALIGNMENT_BYTES);
    try (InputStream in = zip.getInputStream(entry)) {
      byte[] chunk = new byte[1 << 16];
      long at = 0;
      for (int read = in.read(chunk); read > 0 && at < entry.getSize(); read = in.read(chunk)) {
        MemorySegment.copy(
            MemorySegment.ofArray(chunk), 0, memory, at, Math.min(read, entry.getSize() - at));
        at += read;
      }
      if (at < entry.getSize()) {
        throw error("the entry " + quote(entry.getName()) + " ends early");
      }
      return memory;
    } catch (IOException e) {
      throw new ModelFormatException(
          file, "the entry " + quote(entry.getName()) + " cannot be read", DAMAGED, e);
    }
  }

  @Override
  public Tensor tensor(String name) {
    return find(name)
        .orElseThrow(
            () ->
                new ModelFormatException(
                    file,
                    "the tensor " + quote(name) + " is missing (there are " + tensors.size() + ")",
                    "name another file"));
  }

  private ModelFormatException error(String problem) {
    return new ModelFormatException(file, problem, DAMAGED);
  }

  @Override
  public void close() {
    if (arena.scope().isAlive()) {
      arena.close();
      try {
        zip.close();
      } catch (IOException e) {
        throw new UncheckedIOException("cannot close " + file, e);
      }
    }
  }
}
