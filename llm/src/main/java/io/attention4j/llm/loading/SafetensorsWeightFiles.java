package io.attention4j.llm.loading;

import io.attention4j.engine.operator.WeightFiles;
import io.attention4j.engine.operator.WeightSource;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.safetensors.SafetensorsFile;
import io.attention4j.llm.safetensors.SafetensorsWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

/** Maps the safetensors files that attention options name; closing unmaps them. */
public final class SafetensorsWeightFiles implements WeightFiles, AutoCloseable {
  private final Map<String, SafetensorsFile> opened = new HashMap<>();

  /** No file is open yet. */
  public SafetensorsWeightFiles() {}

  @Override
  public WeightSource open(String path) {
    SafetensorsFile file = opened.computeIfAbsent(path, SafetensorsWeightFiles::map);
    return file::find;
  }

  private static SafetensorsFile map(String path) {
    try {
      return SafetensorsFile.open(Path.of(path));
    } catch (IOException e) {
      throw new UncheckedIOException("cannot open the weights " + path, e);
    }
  }

  @Override
  public void update(String path, Map<String, Tensor> tensors) {
    Path file = Path.of(path);
    try {
      if (!Files.exists(file)) {
        SafetensorsWriter.write(file, tensors);
        return;
      }
      try (SafetensorsFile before = SafetensorsFile.open(file)) {
        Map<String, Tensor> all = new LinkedHashMap<>();
        before.names().forEach(name -> all.put(name, before.tensor(name)));
        all.putAll(tensors);
        SafetensorsWriter.write(file, all);
      }
    } catch (IOException e) {
      throw new UncheckedIOException("cannot write the weights " + path, e);
    }
  }

  @Override
  public void close() {
    opened.values().forEach(SafetensorsFile::close);
    opened.clear();
  }
}
