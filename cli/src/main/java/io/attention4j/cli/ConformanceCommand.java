package io.attention4j.cli;

import io.attention4j.cli.conformance.Conformance;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.DeviceOptions;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code attention4j conformance}: ONNX operator cases on the kernels of a provider. */
@Command(
    name = "conformance",
    description =
        "Runs the cases of a folder (a subfolder per case: meta.json and a .bin file per tensor)"
            + " and compares with the expected outputs. Exit status 1 if one fails or none runs.")
final class ConformanceCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(names = "--onnx", required = true, paramLabel = "DIR", description = "Folder of cases.")
  private Path folder;

  @Option(
      names = "--kernels",
      paramLabel = "PROVIDER",
      description = "Kernel provider, as doctor lists them. Default: the best one here.")
  private String provider;

  @Override
  public Integer call() throws IOException {
    PrintWriter out = spec.commandLine().getOut();
    try (KernelSelector kernels = KernelSelector.open(provider, DeviceOptions.DEFAULTS)) {
      Device device = kernels.device();
      out.println("kernels " + device.providerId() + ": " + device.description());
      return new Conformance(kernels, out).run(folder).ok() ? 0 : Errors.BAD_DATA;
    }
  }
}
