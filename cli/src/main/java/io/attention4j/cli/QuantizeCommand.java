package io.attention4j.cli;

import io.attention4j.engine.tensor.DType;
import io.attention4j.llm.gguf.GgufQuantizer;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** {@code attention4j quantize IN OUT TYPE}. */
@Command(name = "quantize", description = "Writes a GGUF model with its weights in another format.")
final class QuantizeCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Parameters(index = "0", paramLabel = "IN", description = "A GGUF file.")
  private Path in;

  @Parameters(index = "1", paramLabel = "OUT", description = "The file to write.")
  private Path out;

  @Parameters(
      index = "2",
      paramLabel = "TYPE",
      converter = TypeName.class,
      description = "F16, BF16, Q8_0, Q4_0, Q4_K or Q6_K.")
  private DType type;

  /** Names only types that can be written, which an enum's own message does not. */
  private static final class TypeName implements ITypeConverter<DType> {
    @Override
    public DType convert(String name) {
      return Arrays.stream(DType.values())
          .filter(type -> type.name().equalsIgnoreCase(name))
          .findFirst()
          .orElseThrow(
              () ->
                  new TypeConversionException(
                      "unknown type '" + name + "'; choose F16, BF16, Q8_0, Q4_0, Q4_K or Q6_K"));
    }
  }

  @Override
  public Integer call() throws IOException {
    try (Progress _ = Progress.of("quantising " + in.getFileName())) {
      GgufQuantizer.quantize(in, out, type);
    }
    PrintWriter writer = spec.commandLine().getOut();
    writer.println(
        out + ": " + Units.bytes(Files.size(out)) + ", was " + Units.bytes(Files.size(in)));
    writer.flush();
    return 0;
  }
}
