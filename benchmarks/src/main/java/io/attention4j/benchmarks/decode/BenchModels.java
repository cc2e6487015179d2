package io.attention4j.benchmarks.decode;

import io.attention4j.engine.tensor.DType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/** Models of Llama-3.2-1B's shape in a folder, made when they are first wanted. */
public final class BenchModels {
  private BenchModels() {}

  /**
   * The model of a type.
   *
   * @throws IOException if it cannot be written
   */
  public static DecodeSuite.Model of(Path folder, DType dtype) throws IOException {
    String name = dtype.name();
    Path file = folder.resolve("random-llama-1b-" + name.toLowerCase(Locale.ROOT) + ".gguf");
    if (!Files.exists(file)) {
      System.err.println("writing " + file);
      Files.createDirectories(folder);
      SyntheticLlama.write(file, SyntheticLlama.Sizes.LLAMA_3_2_1B, dtype);
    }
    return new DecodeSuite.Model(name, file);
  }
}
