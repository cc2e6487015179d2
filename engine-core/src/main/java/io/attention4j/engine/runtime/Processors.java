package io.attention4j.engine.runtime;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;

/** How many threads are worth starting. */
public final class Processors {
  private Processors() {}

  /**
   * Physical cores that this process may use: logical processors divided by the threads of a core
   * where Linux tells, bounded by what the container allows. At least 1.
   */
  public static int physical() {
    int available = Runtime.getRuntime().availableProcessors();
    Set<String> cores = new HashSet<>();
    int logical = 0;
    for (int cpu = 0; cpu < 4096; cpu++) {
      Path siblings =
          Path.of("/sys/devices/system/cpu/cpu" + cpu + "/topology/thread_siblings_list");
      try {
        cores.add(Files.readString(siblings).strip());
        logical++;
      } catch (IOException e) {
        break; // past the last processor, or no Linux: logical stays as far as it was read
      }
    }
    int threadsPerCore = cores.isEmpty() ? 1 : Math.max(1, logical / cores.size());
    return Math.max(1, available / threadsPerCore);
  }
}
