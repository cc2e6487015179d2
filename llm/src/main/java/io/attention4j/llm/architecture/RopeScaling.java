package io.attention4j.llm.architecture;

import java.util.List;

/** How a rotary embedding was stretched to a longer context than it was first trained for. */
public sealed interface RopeScaling {
  /** Not at all. */
  record None() implements RopeScaling {}

  /** Positions divided by the factor (Chen et al. 2023, arXiv 2306.15595). */
  record Linear(double factor) implements RopeScaling {}

  /**
   * Llama 3.1: wavelengths longer than original / low are divided by the factor, shorter ones than
   * original / high are kept, those between are blended.
   */
  record Llama3(double factor, double low, double high, int originalContext)
      implements RopeScaling {}

  /**
   * YaRN, NTK-by-parts (Peng et al. 2023, arXiv 2309.00071, section 3.2 and eq. 22).
   *
   * @param factor new over original context
   * @param originalContext tokens
   * @param betaFast rotations above which a dimension is kept
   * @param betaSlow rotations below which it is divided by the factor
   * @param truncate whether the ramp between them starts and ends at whole dimensions
   * @param attentionFactor factor of rotated queries and keys
   */
  record Yarn(
      double factor,
      int originalContext,
      double betaFast,
      double betaSlow,
      boolean truncate,
      double attentionFactor)
      implements RopeScaling {}

  /**
   * Every frequency has its divisor: GGUF's rope_freqs (Llama 3.1 worked out by the converter), and
   * LongRoPE (Ding et al. 2024, arXiv 2402.13753).
   *
   * @param upToOriginal divisors for contexts up to the original one, one per pair
   * @param beyond divisors for longer contexts
   * @param originalContext tokens
   * @param attentionFactor factor of rotated queries and keys
   */
  record Divisors(
      List<Double> upToOriginal, List<Double> beyond, int originalContext, double attentionFactor)
      implements RopeScaling {
    /** Copies the lists. */
    public Divisors {
      upToOriginal = List.copyOf(upToOriginal);
      beyond = List.copyOf(beyond);
    }
  }
}
