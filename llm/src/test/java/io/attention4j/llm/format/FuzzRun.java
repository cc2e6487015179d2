package io.attention4j.llm.format;

import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Opens mutated files and checks that the reader accepts them or throws {@link
 * ModelFormatException}, within bounds of time and allocation. {@code attention4j.fuzz.files} sets
 * how many; a failure names the seed that makes the file again.
 */
public final class FuzzRun {
  private static final long MAX_CPU_NANOS = 1_000_000_000L;
  private static final long ALLOCATION_FLOOR = 16L << 20;
  private static final long ALLOCATION_FACTOR = 16;
  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  private FuzzRun() {}

  /** Reads a whole file: opens it and touches all that it holds. */
  @FunctionalInterface
  public interface Reader {
    /** Reads. */
    void read(Path file) throws IOException;
  }

  /** What reading one file took. */
  public record Outcome(boolean accepted, long cpuNanos, long allocatedBytes) {}

  /** Runs over mutations of the seeds, written to {@code target} one after the other. */
  public static void run(String title, List<byte[]> seeds, Path target, Reader reader)
      throws IOException {
    int files = Integer.getInteger("attention4j.fuzz.files", 1000);
    int accepted = 0;
    long mostNanos = 0;
    long mostAllocated = 0;
    for (int i = 0; i < files; i++) {
      long seed = title.hashCode() * 1_000_003L + i;
      SplittableRandom random = new SplittableRandom(seed);
      byte[] original = seeds.get(random.nextInt(seeds.size()));
      Files.write(target, new Mutator(random).mutate(original));
      Outcome outcome = read(title + " seed " + seed, target, reader);
      accepted += outcome.accepted() ? 1 : 0;
      mostNanos = Math.max(mostNanos, outcome.cpuNanos());
      mostAllocated = Math.max(mostAllocated, outcome.allocatedBytes());
    }
    System.out.printf(
        "%s: %d mutated files, %d accepted, %d refused; most %.1f ms CPU, %d kB allocated%n",
        title, files, accepted, files - accepted, mostNanos / 1e6, mostAllocated / 1000);
    assertTrue(accepted > 0 && accepted < files, "mutations must reach both outcomes");
  }

  /** Reads one file and checks the outcome and its bounds. */
  public static Outcome read(String label, Path file, Reader reader) throws IOException {
    boolean accepted = false;
    long allocatedBefore = THREADS.getCurrentThreadAllocatedBytes();
    long cpuBefore = THREADS.getCurrentThreadCpuTime();
    try {
      reader.read(file);
      accepted = true;
    } catch (ModelFormatException refused) {
      String message = refused.getMessage();
      assertTrue(
          message.indexOf('\n') < 0 && message.length() < 2000, () -> label + ": " + message);
    } catch (RuntimeException | Error wrong) {
      throw new AssertionError(label + " was not refused properly", wrong);
    }
    long nanos = THREADS.getCurrentThreadCpuTime() - cpuBefore;
    long allocated = THREADS.getCurrentThreadAllocatedBytes() - allocatedBefore;
    long bound = ALLOCATION_FLOOR + ALLOCATION_FACTOR * Files.size(file);
    assertTrue(
        allocated <= bound, () -> label + " allocated " + allocated + " bytes, bound " + bound);
    assertTrue(nanos <= MAX_CPU_NANOS, () -> label + " took " + nanos + " ns of CPU");
    return new Outcome(accepted, nanos, allocated);
  }
}
