package io.attention4j.kernels.opencl;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.jocl.CL;
import org.jocl.cl_event;

/**
 * Times on the device of every kernel, summed by name, and the bytes that crossed the bus. Used
 * under the context's lock.
 */
final class ClProfile implements AutoCloseable {
  private record Run(String kernel, cl_event event) {}

  private static final class Sum {
    private long runs;
    private long nanos;
  }

  private final ClApi api;
  private final List<Run> running = new ArrayList<>();
  private final Map<String, Sum> sums = new TreeMap<>();
  private long uploads;
  private long uploadedBytes;
  private long reads;
  private long readBytes;

  ClProfile(ClApi api) {
    this.api = api;
  }

  /** The event that the launch of a kernel fills. */
  cl_event start(String kernel) {
    cl_event event = new cl_event();
    running.add(new Run(kernel, event));
    return event;
  }

  void uploaded(long bytes) {
    uploads++;
    uploadedBytes += bytes;
  }

  void read(long bytes) {
    reads++;
    readBytes += bytes;
  }

  /** Adds what has been started; all of it must be done. */
  void collect() {
    for (Run run : running) {
      Sum sum = sums.computeIfAbsent(run.kernel, name -> new Sum());
      sum.runs++;
      sum.nanos +=
          api.time(run.event, CL.CL_PROFILING_COMMAND_END)
              - api.time(run.event, CL.CL_PROFILING_COMMAND_START);
      api.release(run.event);
    }
    running.clear();
  }

  /** A line per kernel, the longest first, and one for each direction of the bus. */
  String table() {
    StringBuilder lines = new StringBuilder();
    sums.entrySet().stream()
        .sorted(Comparator.comparingLong(e -> -e.getValue().nanos))
        .forEach(
            e ->
                lines.append(
                    String.format(
                        Locale.ROOT,
                        "%n%-20s %8d runs %12.3f ms",
                        e.getKey(),
                        e.getValue().runs,
                        e.getValue().nanos / 1e6)));
    String transfers = "%n%-20s %8d runs %12d bytes";
    lines.append(String.format(Locale.ROOT, transfers, "to the device", uploads, uploadedBytes));
    lines.append(String.format(Locale.ROOT, transfers, "from the device", reads, readBytes));
    return lines.toString();
  }

  @Override
  public void close() {
    collect();
    System.getLogger(ClProfile.class.getName())
        .log(System.Logger.Level.INFO, "time on the device by kernel:{0}", table());
  }
}
