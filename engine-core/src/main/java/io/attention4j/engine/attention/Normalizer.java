package io.attention4j.engine.attention;

/** How the scores of a row become weights. */
public sealed interface Normalizer {
  /** Weights exp(x) / sum exp(x); partial results merge by their log-sum-exp. */
  record Softmax() implements Normalizer {}

  /**
   * Weights sigmoid(x + bias), one key independent of another; partial results add up (Ramapuram et
   * al. 2024, arXiv 2409.04431). The bias belongs to the checkpoint; the paper's default is -ln n
   * for training length n.
   */
  record Sigmoid(float bias) implements Normalizer {}

  /** Weights are the scores themselves; partial results add up. */
  record None() implements Normalizer {}
}
