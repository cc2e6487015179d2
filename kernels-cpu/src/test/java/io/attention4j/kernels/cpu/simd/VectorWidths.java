package io.attention4j.kernels.cpu.simd;

import io.attention4j.engine.spi.Availability;
import io.attention4j.kernels.cpu.SimdProvider;

/**
 * Whether this test JVM can run the width that its Surefire execution forces; other widths skip,
 * and say so.
 */
final class VectorWidths {
  private VectorWidths() {}

  static boolean available() {
    switch (new SimdProvider().availability()) {
      case Availability.Available yes -> {
        return true;
      }
      case Availability.Unavailable no -> {
        String forced = System.getProperty(SimdProvider.VECTOR_BITS_PROPERTY);
        if (forced == null || !no.reason().contains("wider than this CPU")) {
          throw new AssertionError("cpu.simd must run in its own tests: " + no.reason());
        }
        System.err.println("SKIPPED the vector kernels' tests: " + no.reason());
        return false;
      }
    }
  }
}
