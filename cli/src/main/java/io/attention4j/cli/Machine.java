package io.attention4j.cli;

import com.sun.management.OperatingSystemMXBean;
import io.attention4j.engine.runtime.Processors;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;

/** Where this process runs, in words. */
public final class Machine {
  private static final Path CPUINFO = Path.of("/proc/cpuinfo");

  private Machine() {}

  /** Version, name and vendor of the JVM. */
  public static String jdk() {
    return Runtime.version()
        + ", "
        + System.getProperty("java.vm.name")
        + ", "
        + System.getProperty("java.vendor");
  }

  /** Operating system and architecture. */
  public static String system() {
    return System.getProperty("os.name") + " " + System.getProperty("os.arch");
  }

  /** Processors, and their name where the system tells it. */
  public static String processors() {
    return Runtime.getRuntime().availableProcessors()
        + " logical, "
        + Processors.physical()
        + " physical usable"
        + processorName();
  }

  /** Memory of the machine or container in bytes. */
  public static long memoryBytes() {
    return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
        .getTotalMemorySize();
  }

  private static String processorName() {
    if (!Files.isReadable(CPUINFO)) {
      return "";
    }
    try (var lines = Files.lines(CPUINFO)) {
      return lines
          .filter(line -> line.startsWith("model name"))
          .findFirst()
          .map(line -> " (" + line.substring(line.indexOf(':') + 1).strip() + ")")
          .orElse("");
    } catch (IOException e) {
      return ""; // the name is an extra
    }
  }
}
