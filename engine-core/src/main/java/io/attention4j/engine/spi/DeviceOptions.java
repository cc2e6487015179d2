package io.attention4j.engine.spi;

/**
 * How to open a device.
 *
 * @param threads compute threads, the caller included; 0 = as many as the physical processors that
 *     this process may use
 */
public record DeviceOptions(int threads) {
  /** All defaults. */
  public static final DeviceOptions DEFAULTS = new DeviceOptions(0);

  /** Checks the range. */
  public DeviceOptions {
    if (threads < 0 || threads > 1024) {
      throw new IllegalArgumentException("threads " + threads + " must be 0 (automatic) to 1024");
    }
  }
}
