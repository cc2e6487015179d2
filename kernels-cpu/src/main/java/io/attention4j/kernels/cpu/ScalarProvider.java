package io.attention4j.kernels.cpu;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.spi.AttentionKernel;
import io.attention4j.engine.spi.Availability;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.DeviceOptions;
import io.attention4j.engine.spi.KernelProvider;
import io.attention4j.kernels.cpu.scalar.ScalarKernels;

/**
 * Plain Java loops on host memory, id "cpu.scalar": the readable form of the CPU kernels and the
 * fallback of a JVM that cannot run {@link SimdProvider}.
 */
public final class ScalarProvider implements KernelProvider {
  /** For ServiceLoader. */
  public ScalarProvider() {}

  @Override
  public String id() {
    return "cpu.scalar";
  }

  @Override
  public int rank() {
    return 10;
  }

  @Override
  public Availability availability() {
    return new Availability.Available("plain Java loops, no vector instructions");
  }

  @Override
  public Device open(DeviceOptions options) {
    Parallel workers = CpuThreads.start(options);
    String description = "CPU, scalar loops, " + workers.threads() + " threads";
    return new CpuDevice(id(), description, workers, kernels(workers));
  }

  private static KernelTable kernels(Parallel workers) {
    return ScalarKernels.addTo(
        new KernelTable().with(AttentionKernel.class, new ScalarAttention(workers)), workers);
  }
}
