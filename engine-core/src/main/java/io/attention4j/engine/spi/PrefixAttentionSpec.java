package io.attention4j.engine.spi;

/**
 * What a {@link PrefixAttentionKernel} must know.
 *
 * @param heads heads of scores and values, each with a state of its own
 * @param valueDim elements of a value
 */
public record PrefixAttentionSpec(int heads, int valueDim) {
  /** Checks the ranges. */
  public PrefixAttentionSpec {
    if (heads < 1 || valueDim < 1) {
      throw new IllegalArgumentException(
          "heads " + heads + " and valueDim " + valueDim + " must be at least 1");
    }
  }

  /** Elements of a head's state: w, then m and u. */
  public int stateSize() {
    return valueDim + 2;
  }
}
