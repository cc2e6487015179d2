package io.attention4j.llm.gguf;

import static io.attention4j.llm.format.ModelFormatException.quote;

import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.format.ModelFormatException;
import io.attention4j.llm.format.TensorSource;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A model in GGUF version 2 or 3, little-endian, in one file or split into parts named {@code
 * NAME-00001-of-0000N.gguf}. Files are memory-mapped: opening reads the header only, and weights
 * are paged in as they are used.
 *
 * <p>Every count, length, offset, shape and type is checked at open; a tensor of a type that {@link
 * io.attention4j.engine.tensor.DType} lacks (IQ, TQ, FP4, ...) is refused there by name. Nested
 * metadata arrays and big-endian files are refused. The file must not be truncated by another
 * process while it is open.
 *
 * @see <a href="https://github.com/ggml-org/ggml/blob/master/docs/gguf.md">GGUF specification</a>
 */
public final class GgufFile implements TensorSource {
  private static final Pattern PART_NAME = Pattern.compile("(.*)-(\\d{5})-of-(\\d{5})\\.gguf");

  private final Arena arena;
  private final List<GgufPart> parts;
  private final Map<String, GgufPart> partOfTensor;

  private GgufFile(Arena arena, List<GgufPart> parts, Map<String, GgufPart> partOfTensor) {
    this.arena = arena;
    this.parts = parts;
    this.partOfTensor = partOfTensor;
  }

  /**
   * Opens a model; of a split one any part may be given.
   *
   * @throws ModelFormatException if the file or a part of it is missing or bad; nothing stays
   *     mapped
   * @throws IOException if the system cannot open or map a file
   */
  public static GgufFile open(Path path) throws IOException {
    Arena arena = Arena.ofShared();
    boolean opened = false;
    try {
      List<GgufPart> parts = openParts(path, arena);
      GgufFile file = new GgufFile(arena, parts, index(parts));
      opened = true;
      return file;
    } finally {
      if (!opened) {
        arena.close();
      }
    }
  }

  private static List<GgufPart> openParts(Path path, Arena arena) throws IOException {
    GgufPart given = GgufPart.open(path, arena);
    int count = given.metadata().int32("split.count", 1);
    if (count == 1) {
      return List.of(given);
    }
    Matcher name = PART_NAME.matcher(path.getFileName().toString());
    if (!name.matches() || count < 1 || count != Integer.parseInt(name.group(3))) {
      throw new ModelFormatException(
          path,
          "the file is part of a model split into "
              + count
              + " but its name does not end in "
              + "'-NNNNN-of-"
              + String.format("%05d", count)
              + ".gguf'",
          "give the parts their original names");
    }
    int givenIndex = Integer.parseInt(name.group(2)) - 1;
    checkSplit(given, givenIndex, count);
    List<GgufPart> parts = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      GgufPart part =
          i == givenIndex
              ? given
              : GgufPart.open(path.resolveSibling(partName(name.group(1), i, count)), arena);
      checkSplit(part, i, count);
      parts.add(part);
    }
    checkTensorCount(parts);
    return parts;
  }

  /** The name of part {@code index}, counted from 0, of {@code count}. */
  static String partName(String prefix, int index, int count) {
    return String.format("%s-%05d-of-%05d.gguf", prefix, index + 1, count);
  }

  private static void checkSplit(GgufPart part, int index, int count) {
    int no = part.metadata().int32("split.no");
    int partCount = part.metadata().int32("split.count");
    if (no != index || partCount != count) {
      throw new ModelFormatException(
          part.file(),
          "the file says it is part "
              + (no + 1L)
              + " of "
              + partCount
              + " but its name says "
              + (index + 1)
              + " of "
              + count,
          "give the parts their original names");
    }
  }

  private static void checkTensorCount(List<GgufPart> parts) {
    long found = 0;
    for (GgufPart part : parts) {
      found += part.tensors().size();
    }
    GgufPart first = parts.getFirst();
    long promised = first.metadata().int64("split.tensors.count");
    if (found != promised) {
      throw new ModelFormatException(
          first.file(),
          "the parts hold " + found + " tensors but split.tensors.count is " + promised,
          "download all parts of the same model again");
    }
  }

  private static Map<String, GgufPart> index(List<GgufPart> parts) {
    Map<String, GgufPart> partOfTensor = new LinkedHashMap<>();
    for (GgufPart part : parts) {
      for (String name : part.tensors().keySet()) {
        GgufPart other = partOfTensor.put(name, part);
        if (other != null) {
          throw new ModelFormatException(
              part.file(),
              "the tensor " + quote(name) + " is also in " + other.file().getFileName(),
              "download all parts of the same model again");
        }
      }
    }
    return partOfTensor;
  }

  /** GGUF version of the first file, 2 or 3. */
  public int version() {
    return parts.getFirst().version();
  }

  /** Metadata of the first file, which in a split model is the one that carries it. */
  public GgufMetadata metadata() {
    return parts.getFirst().metadata();
  }

  /** The mapped files in order. */
  public List<Path> files() {
    return parts.stream().map(GgufPart::file).toList();
  }

  @Override
  public Set<String> names() {
    return Collections.unmodifiableSet(partOfTensor.keySet());
  }

  @Override
  public Optional<Tensor> find(String name) {
    GgufPart part = partOfTensor.get(name);
    return part == null ? Optional.empty() : Optional.of(part.tensor(part.tensors().get(name)));
  }

  @Override
  public Tensor tensor(String name) {
    return find(name)
        .orElseThrow(
            () ->
                new ModelFormatException(
                    files().getFirst(),
                    "the tensor "
                        + quote(name)
                        + " is missing (the model has "
                        + partOfTensor.size()
                        + ")",
                    "download or convert the model again"));
  }

  @Override
  public void close() {
    if (arena.scope().isAlive()) {
      arena.close();
    }
  }
}
