package io.attention4j.engine.spi;

import java.time.Duration;

/** Measures what a device allows, so that a kernel's speed can be read as a share of it. */
public interface ProbeKernel extends Kernel<ProbeKernel.Limit> {
  /** What bounds kernels. */
  enum Limit {
    /** Bytes per second that all threads together read from memory, beyond every cache. */
    READ_BANDWIDTH,
    /** F32 operations per second of all threads; a fused multiply-add counts as two. */
    FMA_PEAK
  }

  /**
   * Runs for about this long on all threads and returns the best rate seen, per second. Other load
   * on the machine lowers it.
   */
  double measure(Limit limit, Duration duration);
}
