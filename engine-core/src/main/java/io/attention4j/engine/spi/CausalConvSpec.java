package io.attention4j.engine.spi;

/**
 * A short depthwise causal convolution over time, as it stands before the recurrence of Mamba,
 * Gated DeltaNet and their kin.
 *
 * @param channels independent channels
 * @param kernelSize taps, at least 1; 4 in the published models
 */
public record CausalConvSpec(int channels, int kernelSize) {
  /** Checks the ranges. */
  public CausalConvSpec {
    if (channels < 1 || kernelSize < 1) {
      throw new IllegalArgumentException(
          "channels " + channels + " and kernelSize " + kernelSize + " must be at least 1");
    }
  }

  /** Elements of a state: the last kernelSize - 1 inputs of every channel. */
  public int stateSize() {
    return Math.multiplyExact(channels, kernelSize - 1);
  }
}
