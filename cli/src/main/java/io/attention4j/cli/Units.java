package io.attention4j.cli;

import java.util.Locale;

/** Numbers with units, for people. */
final class Units {
  private Units() {}

  /** Bytes in the binary unit that keeps the number below 1024. */
  static String bytes(long bytes) {
    if (bytes < 1024) {
      return bytes + " B";
    }
    double value = bytes;
    int unit = -1;
    while (value >= 1024 && unit < 4) {
      value /= 1024;
      unit++;
    }
    return String.format(
        Locale.ROOT, "%.1f %s", value, new String[] {"KiB", "MiB", "GiB", "TiB", "PiB"}[unit]);
  }

  /** A rate in units of 10^9 per second. */
  static String giga(double perSecond, String unit) {
    return String.format(Locale.ROOT, "%.1f G%s/s", perSecond / 1e9, unit);
  }
}
