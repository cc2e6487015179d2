package io.attention4j.llm;

import java.util.Arrays;

/**
 * Natural-log probabilities of a given continuation.
 *
 * @param tokens ids of the continuation
 * @param logProbs of each, given all before it
 */
public record Score(int[] tokens, double[] logProbs) {
  /** Natural-log probability of the whole continuation; 0 if it is empty. */
  public double total() {
    return Arrays.stream(logProbs).sum();
  }

  /** Mean per token; 0 if it is empty. */
  public double mean() {
    return tokens.length == 0 ? 0 : total() / tokens.length;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Score that
        && Arrays.equals(tokens, that.tokens)
        && Arrays.equals(logProbs, that.logProbs);
  }

  @Override
  public int hashCode() {
    return 31 * Arrays.hashCode(tokens) + Arrays.hashCode(logProbs);
  }

  @Override
  public String toString() {
    return "Score[" + tokens.length + " tokens, total " + total() + "]";
  }
}
