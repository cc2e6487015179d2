package io.attention4j.engine.spi;

/**
 * Recurrences that decay and write element by element, S [stateDim, channels] per head: S = factor
 * * S + b (write * x)^T, then y = c^T S + through * x. With e^(decay a) as the factor this is S6,
 * the selective state space of Mamba (arXiv 2312.00752), where decay and write are the same step;
 * with the factor itself and a stateDim of 1 it is the quasi-LSTM (arXiv 2405.15731).
 *
 * @param heads heads with a state, b and c of their own
 * @param stateDim rows of a state
 * @param channels columns of a state
 * @param decay what decays a state
 */
public record SelectiveScanSpec(int heads, int stateDim, int channels, Decay decay) {
  /** What decays a state. */
  public enum Decay {
    /** e^(decay a), with decay per token and channel and a per element of the state. */
    EXPONENTIAL,
    /** The decay itself, per token and channel; no tensor a. */
    FACTOR
  }

  /** Checks the ranges. */
  public SelectiveScanSpec {
    if (heads < 1 || stateDim < 1 || channels < 1) {
      throw new IllegalArgumentException(
          "heads "
              + heads
              + ", stateDim "
              + stateDim
              + " and channels "
              + channels
              + " must be at least 1");
    }
  }
}
