package io.attention4j.kernels.opencl;

import io.attention4j.engine.spi.ProbeKernel;
import io.attention4j.engine.spi.Support;
import java.time.Duration;

/**
 * Rates of the device, see probe.cl. Bandwidth is that of a copy, each byte counted when it is read
 * and when it is written: what kernels that read only reach at best.
 */
final class OpenClProbe implements ProbeKernel {
  private static final ClProgramCache.Source SOURCE = ClProgramCache.Source.of("probe", "");

  /** Beyond every cache, within every device. */
  private static final long MOST_COPY_BYTES = 256L << 20;

  private static final long GROUPS_PER_UNIT = 64;
  private static final int LANES_OF_A_ROUND = 8 * 4;
  private static final int FIRST_ROUNDS = 256;
  private static final int MOST_ROUNDS = 1 << 20;

  private final ClContext context;

  OpenClProbe(ClContext context) {
    this.context = context;
  }

  @Override
  public Support supports(Limit limit) {
    return Support.YES;
  }

  @Override
  public double measure(Limit limit, Duration duration) {
    return switch (limit) {
      case READ_BANDWIDTH -> copyBandwidth(duration.toNanos());
      case FMA_PEAK -> multiplyAdds(duration.toNanos());
    };
  }

  private double copyBandwidth(long nanos) {
    long fitting = Math.min(context.freeBytes() / 4, context.device().allocationBytes());
    long bytes = Math.max(4096, Long.highestOneBit(Math.min(MOST_COPY_BYTES, fitting)));
    try (ClBuffer from = context.allocate(bytes);
        ClBuffer to = context.allocate(bytes)) {
      long[] groups = {bytes / 16 / RowKernels.ITEMS};
      double best = 0;
      long end = System.nanoTime() + nanos;
      do {
        double seconds = seconds(() -> launch("copy", groups, from, to));
        best = Math.max(best, 2.0 * bytes / seconds);
      } while (System.nanoTime() < end);
      return best;
    }
  }

  private double multiplyAdds(long nanos) {
    long[] groups = {GROUPS_PER_UNIT * context.device().computeUnits()};
    long items = groups[0] * RowKernels.ITEMS;
    try (ClBuffer out = context.allocate(items * Float.BYTES)) {
      int rounds = FIRST_ROUNDS;
      double best = 0;
      long end = System.nanoTime() + nanos;
      do {
        int now = rounds;
        double seconds = seconds(() -> launch("multiply_add", groups, now, 0.5f, out));
        best = Math.max(best, 2.0 * LANES_OF_A_ROUND * items * rounds / seconds);
        // Long enough that starting the kernel does not count.
        rounds = seconds < 0.01 ? Math.min(MOST_ROUNDS, 2 * rounds) : rounds;
      } while (System.nanoTime() < end);
      return best;
    }
  }

  private void launch(String kernel, long[] groups, Object... arguments) {
    context.launch(SOURCE, kernel, groups, RowKernels.GROUP, arguments);
  }

  private double seconds(Runnable work) {
    context.finish();
    long start = System.nanoTime();
    work.run();
    context.finish();
    return (System.nanoTime() - start) / 1e9;
  }
}
