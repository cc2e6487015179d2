package io.attention4j.engine.spi;

/**
 * Normalisation over the innermost dimension.
 *
 * @param kind RMS (Zhang and Sennrich 2019) or LAYER (Ba et al. 2016)
 * @param size elements that are normalised together
 * @param epsilon added to the mean square or variance
 * @param weightOffset added to every weight: 1 for Gemma's Hugging Face files, else 0
 */
public record NormSpec(Kind kind, int size, float epsilon, float weightOffset) {
  /** Which statistic. */
  public enum Kind {
    /** x / sqrt(mean(x^2) + epsilon). */
    RMS,
    /** (x - mean) / sqrt(variance + epsilon). */
    LAYER
  }
}
