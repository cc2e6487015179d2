package io.attention4j.cli;

import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.format.TensorSource;
import io.attention4j.llm.gguf.GgufFile;
import io.attention4j.llm.gguf.GgufMetadata;
import io.attention4j.llm.safetensors.HuggingFaceFolder;
import io.attention4j.llm.safetensors.SafetensorsFile;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code attention4j inspect FILE}: what a model file says about itself. */
@Command(name = "inspect", description = "Prints the metadata and tensors of a model file.")
final class InspectCommand implements Callable<Integer> {
  private static final int MAX_ELEMENTS = 5;

  @Spec private CommandSpec spec;

  @Parameters(
      paramLabel = "MODEL",
      description =
          "A GGUF file (any part of a split one), a .safetensors file or a Hugging Face folder.")
  private Path model;

  @Option(
      names = "--tensors",
      negatable = true,
      defaultValue = "true",
      fallbackValue = "true",
      description = "List the tensors (the default).")
  private boolean tensors;

  @Option(
      names = "--kernels",
      paramLabel = "PROVIDER",
      description =
          "Say, too, how many layers fit the memory of a device such as opencl with a full context"
              + " of at most 4096 tokens; see --device-layers.")
  private String kernels;

  @Override
  public Integer call() throws IOException {
    PrintWriter out = spec.commandLine().getOut();
    if (HuggingFaceFolder.isAt(model)) {
      try (HuggingFaceFolder folder = HuggingFaceFolder.open(model)) {
        out.println("Hugging Face folder " + model);
        folder
            .config()
            .properties()
            .forEach(e -> out.println("  " + e.getKey() + " = " + e.getValue()));
        print(out, folder.weights());
      }
    } else if (model.toString().endsWith(".safetensors")) {
      try (SafetensorsFile file = SafetensorsFile.open(model)) {
        out.println("safetensors " + model);
        print(out, file);
      }
    } else {
      try (GgufFile file = GgufFile.open(model)) {
        out.println(
            "GGUF version " + file.version() + ", " + file.files().size() + " file(s), " + model);
        GgufMetadata metadata = file.metadata();
        for (String key : metadata.keys()) {
          out.println("  " + key + " = " + metadata.describe(key, MAX_ELEMENTS));
        }
        print(out, file);
      }
    }
    if (kernels != null) {
      out.println(LayerFit.describe(model, kernels));
    }
    out.flush();
    return 0;
  }

  private void print(PrintWriter out, TensorSource source) {
    Map<DType, Long> bytesOfType = new EnumMap<>(DType.class);
    long elements = 0;
    for (String name : source.names()) {
      Tensor tensor = source.tensor(name);
      elements += tensor.shape().elements();
      bytesOfType.merge(tensor.dtype(), tensor.byteSize(), Long::sum);
      if (tensors) {
        out.printf(
            Locale.ROOT,
            "  %-48s %-6s %-20s %s%n",
            name,
            tensor.dtype(),
            tensor.shape(),
            Units.bytes(tensor.byteSize()));
      }
    }
    long total = bytesOfType.values().stream().mapToLong(Long::longValue).sum();
    out.printf(
        Locale.ROOT,
        "%d tensors, %,d elements, %s:",
        source.names().size(),
        elements,
        Units.bytes(total));
    bytesOfType.forEach((type, bytes) -> out.print(" " + type + " " + Units.bytes(bytes)));
    out.println();
  }
}
