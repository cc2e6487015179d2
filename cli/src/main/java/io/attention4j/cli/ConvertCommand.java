package io.attention4j.cli;

import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.pickle.TorchFile;
import io.attention4j.llm.safetensors.SafetensorsWriter;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code attention4j convert IN OUT}. */
@Command(
    name = "convert",
    description = {
      "Writes the tensors of a PyTorch file (.pth, .pt, .bin) as safetensors.",
      "Nothing in the file is executed."
    })
final class ConvertCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Parameters(index = "0", paramLabel = "IN", description = "A file that torch.save wrote.")
  private Path in;

  @Parameters(index = "1", paramLabel = "OUT", description = "The .safetensors file to write.")
  private Path out;

  @Override
  public Integer call() throws IOException {
    PrintWriter writer = spec.commandLine().getOut();
    try (TorchFile file = TorchFile.open(in)) {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      file.names().forEach(name -> tensors.put(name, file.tensor(name)));
      SafetensorsWriter.write(out, tensors);
      file.leftOut().forEach(name -> writer.println("left out: " + name));
      writer.println(out + ": " + tensors.size() + " tensors, " + Units.bytes(Files.size(out)));
    }
    writer.flush();
    return 0;
  }
}
