package io.attention4j.llm.sampling;

import java.util.ArrayList;
import java.util.List;

/**
 * Natural-log probabilities of a row of logits, at temperature 1 and before any filter: what {@code
 * score} ranks with. Sums are in double. Rows are [vocabularySize] and stay unchanged; a logit of
 * negative infinity has log-probability negative infinity.
 */
public final class LogProbs {
  private LogProbs() {}

  /**
   * A token and its natural-log probability.
   *
   * @param token id
   * @param logProb at most 0
   */
  public record TokenLogProb(int token, double logProb) {}

  /**
   * The natural log of the sum of the exponentiated logits.
   *
   * @throws IllegalStateException if a logit is NaN or positive infinity, or all are negative
   *     infinity
   */
  public static double logSumExp(float[] logits) {
    float max = Float.NEGATIVE_INFINITY;
    int bad = 0;
    for (float logit : logits) {
      if (!(logit < Float.POSITIVE_INFINITY)) {
        bad++;
      } else if (logit > max) {
        max = logit;
      }
    }
    if (bad > 0) {
      throw new IllegalStateException(
          bad + " of " + logits.length + " logits are NaN or +Infinity; the row has no softmax");
    }
    if (max == Float.NEGATIVE_INFINITY) {
      throw new IllegalStateException(
          "all " + logits.length + " logits are -Infinity; the row has no softmax");
    }
    double sum = 0;
    for (float logit : logits) {
      sum += Math.exp((double) logit - max);
    }
    return max + Math.log(sum);
  }

  /**
   * The natural-log probability of one token.
   *
   * @throws IllegalArgumentException if the token is outside the row
   * @throws IllegalStateException as {@link #logSumExp}
   */
  public static double of(float[] logits, int token) {
    if (token < 0 || token >= logits.length) {
      throw new IllegalArgumentException(
          "token " + token + " is outside a row of " + logits.length + " logits");
    }
    return Math.min(0, logits[token] - logSumExp(logits));
  }

  /**
   * The {@code n} most probable tokens, best first, ties to the lower id; fewer if fewer are
   * possible.
   *
   * @param n at least 0
   * @throws IllegalStateException as {@link #logSumExp}
   */
  public static List<TokenLogProb> top(float[] logits, int n) {
    if (n < 0) {
      throw new IllegalArgumentException("n is " + n + "; it must be at least 0");
    }
    double logSum = logSumExp(logits);
    List<TokenLogProb> top = new ArrayList<>();
    if (n == 0) {
      return top;
    }
    Candidates candidates = new Candidates(logits.length);
    candidates.topK(logits, Math.min(n, logits.length));
    for (int i = 0; i < candidates.count(); i++) {
      int token = candidates.token(i);
      top.add(new TokenLogProb(token, Math.min(0, logits[token] - logSum)));
    }
    top.sort(
        (a, b) ->
            logits[a.token] == logits[b.token]
                ? Integer.compare(a.token, b.token)
                : Float.compare(logits[b.token], logits[a.token]));
    return top;
  }
}
