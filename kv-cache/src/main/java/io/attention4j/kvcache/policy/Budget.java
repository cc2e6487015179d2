package io.attention4j.kvcache.policy;

import io.attention4j.engine.operator.OptionSpec;

/**
 * How many tokens a head may hold: a share of those seen ({@code keep=0.25}), a number ({@code
 * tokens=1024}), or both (the smaller). The share counts as kvpress does: (int) (n * keep), in
 * double.
 *
 * @param keep share of the tokens seen, 0 &lt; keep &lt;= 1
 * @param tokens most tokens
 */
public record Budget(double keep, int tokens) {
  /** Settings that {@link #of} reads. */
  public static final String KEEP = "keep";

  /** Settings that {@link #of} reads. */
  public static final String TOKENS = "tokens";

  private static final int ALL = Integer.MAX_VALUE;

  /** Checks the ranges. */
  public Budget {
    if (!(keep > 0 && keep <= 1) || tokens < 1) {
      throw new IllegalArgumentException(
          "a budget keeps a share in (0, 1] and at least 1 token, not " + keep + " and " + tokens);
    }
  }

  /**
   * The budget of an option.
   *
   * @throws IllegalArgumentException if it gives none
   */
  public static Budget of(OptionSpec option) {
    if (!option.values().containsKey(KEEP) && !option.values().containsKey(TOKENS)) {
      throw new IllegalArgumentException(
          "KV policy '"
              + option.name()
              + "' needs a budget: keep=SHARE (of the tokens seen) or tokens=N, for example "
              + option.name()
              + ":keep=0.25");
    }
    return new Budget(
        option.number(KEEP, 1, Double.MIN_VALUE, 1), option.integer(TOKENS, ALL, 1, ALL));
  }

  /** Tokens that a head may hold after {@code seen} of them. */
  public int of(long seen) {
    return (int) Math.min(Math.min(seen, tokens), Math.max(1, (long) (seen * keep)));
  }

  /** Whether it is a share and grows with the sequence. */
  public boolean grows() {
    return keep < 1;
  }
}
