package io.attention4j.benchmarks.recurrent;

import io.attention4j.engine.spi.LinearScanSpec;
import io.attention4j.engine.spi.LinearScanSpec.Decay;
import io.attention4j.engine.spi.LinearScanSpec.Write;

/** Linear operators as the kernel sees them. */
public enum ScanKind {
  /** Gated linear attention: a decay per key dimension. */
  GLA(Decay.KEY, Write.ADD),
  /** State-space dual of Mamba-2: a decay per head. */
  SSD(Decay.HEAD, Write.ADD),
  /** Delta rule without decay. */
  DELTANET(Decay.NONE, Write.DELTA),
  /** Gated delta net: a decay per head. */
  GDN(Decay.HEAD, Write.DELTA),
  /** Kimi delta attention: a decay per key dimension. */
  KDA(Decay.KEY, Write.DELTA),
  /** RWKV-7: a decay per key dimension and a rank-one transition. */
  RWKV7(Decay.KEY, Write.LOW_RANK);

  /** Tokens of a chunk in the formulas. */
  private static final int CHUNK = 64;

  private final Decay decay;
  private final Write write;

  ScanKind(Decay decay, Write write) {
    this.decay = decay;
    this.write = write;
  }

  /** One state per query head. */
  public LinearScanSpec spec(int heads, int dim) {
    float scale = (float) (1 / Math.sqrt(dim));
    return new LinearScanSpec(heads, heads, dim, dim, scale, decay, write);
  }

  /**
   * Multiplications and additions of the chunked formulas with chunks of 64, pairs below the
   * diagonal counted once and not the square: reading the state and gaining from the chunk, the
   * pair weights and their sums, and for the delta rule what is recalled.
   */
  public double flops(int heads, int dim, long tokens) {
    double lower = CHUNK * (CHUNK + 1) / 2.0;
    double strict = CHUNK * (CHUNK - 1) / 2.0;
    double withState = 2.0 * CHUNK * dim * dim;
    double perChunk =
        switch (write) {
          case ADD -> 2 * withState + 4 * lower * dim;
          case DELTA -> 3 * withState + 4 * lower * dim + 4 * strict * dim;
          case LOW_RANK -> 4 * withState + 8 * lower * dim + 8 * strict * dim;
        };
    return perChunk / CHUNK * heads * tokens;
  }

  /** Bytes of the states of all heads, F32. */
  public static double stateBytes(int heads, int dim) {
    return 4.0 * heads * dim * dim;
  }
}
