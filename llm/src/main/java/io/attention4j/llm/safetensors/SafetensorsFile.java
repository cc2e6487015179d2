package io.attention4j.llm.safetensors;

import static io.attention4j.llm.format.ModelFormatException.quote;

import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.format.ModelFormatException;
import io.attention4j.llm.format.TensorSource;
import io.attention4j.llm.mapping.MappedFile;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The weights of a model in one {@code .safetensors} file, or in the shards that a {@code
 * model.safetensors.index.json} names. Files are memory-mapped; the header alone is read at open
 * and checked whole. Tensors of types other than F64, F32, F16, BF16 and signed integers may be in
 * the file and are refused when asked for.
 *
 * <p>Of a sharded model exactly the tensors of its {@code weight_map} are visible.
 *
 * @see <a href="https://github.com/huggingface/safetensors#format">safetensors format</a>
 */
public final class SafetensorsFile implements TensorSource {
  private final Path path;
  private final Arena arena;
  private final List<SafetensorsShard> shards;
  private final Map<String, SafetensorsShard> shardOfTensor;

  private SafetensorsFile(
      Path path,
      Arena arena,
      List<SafetensorsShard> shards,
      Map<String, SafetensorsShard> shardOfTensor) {
    this.path = path;
    this.arena = arena;
    this.shards = shards;
    this.shardOfTensor = shardOfTensor;
  }

  /**
   * Opens a {@code .safetensors} file or, if the name ends in {@code .json}, the index of a sharded
   * model.
   *
   * @throws ModelFormatException if a file is missing or bad; nothing stays mapped
   * @throws IOException if the system cannot open or map a file
   */
  public static SafetensorsFile open(Path path) throws IOException {
    Arena arena = Arena.ofShared();
    boolean opened = false;
    try {
      SafetensorsFile file =
          path.toString().endsWith(".json") ? openIndex(path, arena) : openSingle(path, arena);
      opened = true;
      return file;
    } finally {
      if (!opened) {
        arena.close();
      }
    }
  }

  private static SafetensorsFile openSingle(Path path, Arena arena) throws IOException {
    SafetensorsShard shard = SafetensorsShard.open(path, arena);
    Map<String, SafetensorsShard> shardOfTensor = new LinkedHashMap<>();
    shard.tensors().keySet().forEach(name -> shardOfTensor.put(name, shard));
    return new SafetensorsFile(path, arena, List.of(shard), shardOfTensor);
  }

  private static SafetensorsFile openIndex(Path path, Arena arena) throws IOException {
    Map<String, String> fileOfTensor;
    try (Arena indexArena = Arena.ofConfined()) {
      fileOfTensor = SafetensorsHeader.parseIndex(path, MappedFile.map(path, indexArena));
    }
    Map<String, SafetensorsShard> shards = new LinkedHashMap<>();
    Map<String, SafetensorsShard> shardOfTensor = new LinkedHashMap<>();
    for (Map.Entry<String, String> entry : fileOfTensor.entrySet()) {
      SafetensorsShard shard = shards.get(entry.getValue());
      if (shard == null) {
        shard = SafetensorsShard.open(path.resolveSibling(entry.getValue()), arena);
        shards.put(entry.getValue(), shard);
      }
      if (!shard.tensors().containsKey(entry.getKey())) {
        throw new ModelFormatException(
            shard.file(),
            "the tensor "
                + quote(entry.getKey())
                + ", which "
                + path.getFileName()
                + " places here, is missing",
            "download index and shards of the same model again");
      }
      shardOfTensor.put(entry.getKey(), shard);
    }
    return new SafetensorsFile(path, arena, List.copyOf(shards.values()), shardOfTensor);
  }

  /** The mapped files in the order in which the index first names them. */
  public List<Path> files() {
    return shards.stream().map(SafetensorsShard::file).toList();
  }

  @Override
  public Set<String> names() {
    return Collections.unmodifiableSet(shardOfTensor.keySet());
  }

  @Override
  public Optional<Tensor> find(String name) {
    SafetensorsShard shard = shardOfTensor.get(name);
    return shard == null
        ? Optional.empty()
        : Optional.of(shard.tensor(name, shard.tensors().get(name)));
  }

  @Override
  public Tensor tensor(String name) {
    return find(name)
        .orElseThrow(
            () ->
                new ModelFormatException(
                    path,
                    "the tensor "
                        + quote(name)
                        + " is missing (the model has "
                        + shardOfTensor.size()
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
