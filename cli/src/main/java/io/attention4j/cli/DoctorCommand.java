package io.attention4j.cli;

import io.attention4j.engine.operator.KvCacheProvider;
import io.attention4j.engine.operator.Operators;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.Availability;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.DeviceOptions;
import io.attention4j.engine.spi.KernelProvider;
import io.attention4j.engine.spi.ProbeKernel;
import java.io.IOException;
import java.io.PrintWriter;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ServiceLoader;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code attention4j doctor}: what this machine and JVM offer, and which kernels were chosen. */
@Command(
    name = "doctor",
    description = "Reports the JVM, the processors, the kernels found and what the machine allows.")
final class DoctorCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(
      names = {"-t", "--threads"},
      paramLabel = "N",
      defaultValue = "0",
      description =
          "Compute threads; 0 = the physical cores this process may use. Default:"
              + " ${DEFAULT-VALUE}.")
  private int threads;

  @Option(
      names = "--probe-seconds",
      paramLabel = "SECONDS",
      defaultValue = "1",
      description = "Time for each probe; 0 = none. Default: ${DEFAULT-VALUE}.")
  private double probeSeconds;

  @Option(
      names = {"-m", "--model"},
      paramLabel = "MODEL",
      description =
          "Say, too, how many layers of a model fit each device with memory of its own, such as a"
              + " GPU.")
  private Path model;

  @Override
  public Integer call() throws IOException {
    PrintWriter out = spec.commandLine().getOut();
    line(out, "JDK", Machine.jdk());
    line(out, "JIT", jit());
    line(
        out,
        "JVM options",
        String.join(" ", ManagementFactory.getRuntimeMXBean().getInputArguments()));
    line(out, "System", Machine.system());
    line(out, "Processors", Machine.processors());
    line(
        out,
        "Memory",
        Units.bytes(Machine.memoryBytes())
            + ", heap at most "
            + Units.bytes(Runtime.getRuntime().maxMemory()));
    out.println("Kernels, in the order of choice");
    for (KernelProvider provider : KernelSelector.providers()) {
      String verdict =
          switch (provider.availability()) {
            case Availability.Available yes -> available(provider) + yes.description();
            case Availability.Unavailable no -> "unavailable: " + no.reason();
          };
      line(out, "  " + provider.id(), verdict);
      if (model != null
          && !provider.hostMemory()
          && provider.availability() instanceof Availability.Available) {
        line(out, "", LayerFit.describe(model, provider.id()));
      }
    }
    line(out, "Attention", String.join(", ", new Operators().names()));
    line(out, "KV caches", String.join(", ", cacheNames()));
    String chosen = KernelSelector.attempts(null).getFirst();
    try (KernelSelector kernels = KernelSelector.open(chosen, new DeviceOptions(threads))) {
      Device device = kernels.device();
      line(out, "Chosen", device.providerId() + ": " + device.description());
      if (probeSeconds > 0) {
        probe(out, device);
      }
    }
    out.flush();
    return 0;
  }

  private static String available(KernelProvider provider) {
    if (provider.rank() < 0) {
      return "available by name only: ";
    }
    return provider.automatic() instanceof Availability.Unavailable no
        ? "available by name only (" + no.reason() + "): "
        : "available: ";
  }

  private void probe(PrintWriter out, Device device) {
    ProbeKernel probe = device.kernel(ProbeKernel.class).orElse(null);
    if (probe == null) {
      line(out, "Probes", device.providerId() + " has none");
      return;
    }
    Duration duration = Duration.ofNanos((long) (probeSeconds * 1e9));
    String how = " (best of " + probeSeconds + " s, " + device.threads() + " threads)";
    line(
        out,
        "Read bandwidth",
        Units.giga(probe.measure(ProbeKernel.Limit.READ_BANDWIDTH, duration), "B") + how);
    line(
        out,
        "f32 FMA peak",
        Units.giga(probe.measure(ProbeKernel.Limit.FMA_PEAK, duration), "FLOP") + how);
  }

  private static String jit() {
    var compiler = ManagementFactory.getCompilationMXBean();
    String mode = System.getProperty("java.vm.info");
    return compiler == null ? "none, " + mode : compiler.getName() + ", " + mode;
  }

  private static Set<String> cacheNames() {
    Set<String> names = new TreeSet<>();
    ServiceLoader.load(KvCacheProvider.class).forEach(provider -> names.addAll(provider.names()));
    return names;
  }

  private static void line(PrintWriter out, String name, String text) {
    out.printf("%-16s %s%n", name, text);
  }
}
