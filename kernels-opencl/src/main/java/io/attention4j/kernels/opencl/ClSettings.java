package io.attention4j.kernels.opencl;

import java.nio.file.Path;
import java.util.Locale;

/**
 * What system properties say about a device.
 *
 * @param device kind, part of the name or number of the device; empty for the best one
 * @param memoryMebibytes budget of device memory, 0 for 90% of what the device has
 * @param cacheDirectory of compiled kernels; null for none
 * @param profile whether kernels are timed
 */
record ClSettings(String device, long memoryMebibytes, Path cacheDirectory, boolean profile) {
  /** System property that chooses: a kind ("gpu"), a part of the name, or a number from 0. */
  static final String DEVICE = "attention4j.opencl.device";

  /** Environment variable that chooses where the property is unset. */
  static final String DEVICE_ENVIRONMENT = "ATTENTION4J_OPENCL_DEVICE";

  /** System property: MiB of device memory that may be used. */
  static final String MEMORY = "attention4j.opencl.memoryMiB";

  /** System property: folder of compiled kernels, or "none". */
  static final String CACHE = "attention4j.opencl.cache";

  /** System property: "true" times every kernel and logs a table when the device closes. */
  static final String PROFILE = "attention4j.opencl.profile";

  /** What the properties and the environment say. */
  static ClSettings read() {
    String wanted = System.getProperty(DEVICE, System.getenv(DEVICE_ENVIRONMENT));
    String cache = System.getProperty(CACHE, "");
    return new ClSettings(
        wanted == null ? "" : wanted.strip(),
        memory(System.getProperty(MEMORY, "0")),
        cache.equals("none") ? null : cache.isEmpty() ? userCache() : Path.of(cache),
        Boolean.getBoolean(PROFILE));
  }

  private static long memory(String text) {
    try {
      long mebibytes = Long.parseLong(text.strip());
      if (mebibytes >= 0 && mebibytes <= Long.MAX_VALUE >> 20) {
        return mebibytes;
      }
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException(MEMORY + " must be a number of MiB, not " + text, e);
    }
    throw new IllegalArgumentException(MEMORY + " must be 0 or more MiB, not " + text);
  }

  private static Path userCache() {
    String home = System.getProperty("user.home", ".");
    String system = System.getProperty("os.name", "");
    String xdg = System.getenv("XDG_CACHE_HOME");
    String local = System.getenv("LOCALAPPDATA");
    Path base;
    if (system.startsWith("Windows") && local != null) {
      base = Path.of(local);
    } else if (system.startsWith("Mac")) {
      base = Path.of(home, "Library", "Caches");
    } else {
      base = xdg != null && !xdg.isEmpty() ? Path.of(xdg) : Path.of(home, ".cache");
    }
    return base.resolve("attention4j").resolve("opencl");
  }

  /** Bytes that the buffers of a device may have together. */
  long budgetBytes(ClDevice opened) {
    return memoryMebibytes == 0 ? opened.globalBytes() / 10 * 9 : memoryMebibytes << 20;
  }

  /**
   * The cache on disk, or null. PoCL gets none unless it was asked for: it keeps compiled kernels
   * itself, and compiles them a second time to give a binary.
   */
  ClBinaryCache cache(ClDevice opened) {
    boolean pocl = opened.version().toLowerCase(Locale.ROOT).contains("pocl");
    return cacheDirectory == null || pocl && cacheDirectory.equals(userCache())
        ? null
        : new ClBinaryCache(cacheDirectory, opened);
  }
}
