package io.attention4j.llm;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/** How much memory a context may take. */
final class MemoryBudget {
  private static final Path MEMINFO = Path.of("/proc/meminfo");

  private MemoryBudget() {}

  /** Bytes that this process may still use: what the container and the system allow. */
  static long availableBytes() {
    OperatingSystemMXBean system =
        (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    long total = system.getTotalMemorySize();
    if (!Files.isReadable(MEMINFO)) {
      return total;
    }
    try {
      for (String line : Files.readAllLines(MEMINFO)) {
        if (line.startsWith("MemAvailable:")) {
          String[] parts = line.split("\\s+");
          return Math.min(total, Math.multiplyExact(Long.parseLong(parts[1]), 1024L));
        }
      }
    } catch (IOException | NumberFormatException e) {
      return total; // an unusual /proc is no reason not to load a model
    }
    return total;
  }

  /**
   * Refuses a context that cannot fit. Weights are left out: they are mapped, and the system drops
   * what it must.
   */
  static void require(MemoryEstimate estimate, long availableBytes) {
    long room = availableBytes - estimate.scratchBytes() - estimate.packedBytes();
    long inMemory = estimate.kvCacheBytes() - estimate.kvFileBytes();
    if (inMemory <= room) {
      return;
    }
    double share = Math.max(0, room) / (double) inMemory;
    long fitting = (long) (estimate.contextTokens() * share);
    throw new ContextTooLargeException(
        "a context of "
            + estimate.contextTokens()
            + " tokens needs "
            + gibibytes(inMemory)
            + " for the KV cache and "
            + gibibytes(estimate.scratchBytes() + estimate.packedBytes())
            + " for buffers and packed weights, but "
            + gibibytes(availableBytes)
            + " of memory are available; ask for a context of at most "
            + fitting
            + " tokens, a smaller KV-cache codec or the tier file");
  }

  private static String gibibytes(long bytes) {
    return String.format(Locale.ROOT, "%.2f GiB", bytes / (double) (1L << 30));
  }
}
