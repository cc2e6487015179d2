package io.attention4j.kernels.cpu.matmul;

import io.attention4j.engine.spi.MatmulSpec;
import io.attention4j.engine.spi.Support;

/** Which weights the CPU kernels take: every type, in whole blocks. */
public final class MatmulSupport {
  private MatmulSupport() {}

  /** Whether a weight of this shape can be multiplied. */
  public static Support of(MatmulSpec spec) {
    int block = spec.weight().blockSize();
    if (spec.inFeatures() % block != 0) {
      return Support.no(
          "inFeatures "
              + spec.inFeatures()
              + " is no multiple of "
              + block
              + ", the block of "
              + spec.weight());
    }
    if (spec.inFeatures() > 1 << 24) {
      return Support.no("inFeatures " + spec.inFeatures() + " exceeds " + (1 << 24));
    }
    return Support.YES;
  }
}
