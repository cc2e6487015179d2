package io.attention4j.kernels.cpu;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.spi.Availability;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.DeviceOptions;
import io.attention4j.engine.spi.KernelProvider;
import io.attention4j.kernels.cpu.simd.SimdKernels;

/**
 * Kernels written with the Vector API, id "cpu.simd". Needs a JVM started with {@code --add-modules
 * jdk.incubator.vector}, an optimising JIT compiler and vectors of at least 128 bits.
 */
public final class SimdProvider implements KernelProvider {
  /**
   * System property that forces the vector width in bits: 128, 256 or 512. Read when the provider
   * is first used; the width then holds for the life of the JVM. Unset: the widest that the CPU
   * prefers.
   */
  public static final String VECTOR_BITS_PROPERTY = "attention4j.vectorBits";

  private static final String MODULE = "jdk.incubator.vector";

  /** For ServiceLoader. */
  public SimdProvider() {}

  @Override
  public String id() {
    return "cpu.simd";
  }

  @Override
  public int rank() {
    return 20;
  }

  @Override
  public Availability availability() {
    String problem = jvmProblem();
    if (problem == null) {
      // From here on the module is known to be there, so SimdKernels can be linked.
      problem = SimdKernels.problem(System.getProperty(VECTOR_BITS_PROPERTY));
    }
    return problem == null
        ? new Availability.Available(SimdKernels.vectorBits() + "-bit vectors")
        : new Availability.Unavailable(problem);
  }

  private static String jvmProblem() {
    if (ModuleLayer.boot().findModule(MODULE).isEmpty()) {
      return "this JVM was started without the Vector API; add the option --add-modules " + MODULE;
    }
    String mode = System.getProperty("java.vm.info", "");
    if (mode.contains("interpreted mode") || mode.contains("emulated-client")) {
      return "this JVM runs without an optimising compiler ("
          + mode
          + "), where the Vector API is slower than plain loops; remove -Xint or"
          + " -XX:TieredStopAtLevel";
    }
    return null;
  }

  @Override
  public Device open(DeviceOptions options) {
    if (availability() instanceof Availability.Unavailable no) {
      throw new IllegalStateException(id() + " cannot run here: " + no.reason());
    }
    Parallel workers = CpuThreads.start(options);
    String description =
        "CPU, " + SimdKernels.vectorBits() + "-bit vectors, " + workers.threads() + " threads";
    return new CpuDevice(id(), description, workers, SimdKernels.table(workers));
  }
}
