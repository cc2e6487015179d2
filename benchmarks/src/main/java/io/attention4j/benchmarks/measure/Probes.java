package io.attention4j.benchmarks.measure;

import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.ProbeKernel;
import java.time.Duration;
import java.util.function.DoubleSupplier;

/** The machine's limits, as the kernels under test see them: same vectors, same threads. */
public final class Probes {
  private final ProbeKernel fma;
  private final ProbeKernel read;

  /**
   * Probes of the chosen kernels.
   *
   * @throws IllegalArgumentException if they have none; says which were asked
   */
  public Probes(KernelSelector kernels) {
    fma = kernels.select(ProbeKernel.class, ProbeKernel.Limit.FMA_PEAK);
    read = kernels.select(ProbeKernel.class, ProbeKernel.Limit.READ_BANDWIDTH);
  }

  /** FMA peak in FLOP/s: the best within the time. */
  public DoubleSupplier fmaPeak(Duration time) {
    return () -> fma.measure(ProbeKernel.Limit.FMA_PEAK, time);
  }

  /** Read bandwidth in B/s: the best within the time. */
  public DoubleSupplier readBandwidth(Duration time) {
    return () -> read.measure(ProbeKernel.Limit.READ_BANDWIDTH, time);
  }
}
