package io.attention4j.engine.recurrent.memory;

import io.attention4j.engine.recurrent.Rows;

/**
 * What a memory of one head is given, token by token.
 *
 * @param q what is asked, [tokens, keyDim]
 * @param k [tokens, keyDim], of unit length in the published models
 * @param v [tokens, valueDim]
 * @param retention share of the past that stays, in 0..1; Titans' forget gate is 1 minus this.
 *     [tokens, 1], or in Miras [tokens, valueDim]
 * @param step size of the gradient's step, at least 0; like retention
 * @param gate [tokens, 1]: in Titans the momentum, 0..1; in Yaad the threshold, at least 0; null in
 *     the others
 */
public record MemoryInputs(Rows q, Rows k, Rows v, Rows retention, Rows step, Rows gate) {
  /** Checks that all have as many tokens; names those that do not. */
  public MemoryInputs {
    int tokens = k.tokens();
    boolean fits =
        q.tokens() == tokens
            && v.tokens() == tokens
            && retention.tokens() == tokens
            && step.tokens() == tokens
            && (gate == null || gate.tokens() == tokens && gate.width() == 1)
            && q.width() == k.width();
    if (!fits) {
      throw new IllegalArgumentException(
          "the inputs q "
              + q
              + ", k "
              + k
              + ", v "
              + v
              + ", retention "
              + retention
              + ", step "
              + step
              + " and gate "
              + gate
              + " differ in tokens, or q and k in width, or the gate is not one number per token");
    }
    requireRange("retention", retention, 1);
    requireRange("step", step, Double.MAX_VALUE);
    if (gate != null) {
      requireRange("gate", gate, Double.MAX_VALUE);
    }
  }

  private static void requireRange(String name, Rows rows, double max) {
    for (double value : rows.values()) {
      if (!(value >= 0 && value <= max)) {
        throw new IllegalArgumentException(
            "a memory's "
                + name
                + " of "
                + value
                + " is outside 0.."
                + (max == 1 ? "1" : "infinity")
                + "; is it the gate before its activation, or 1 minus what is meant?");
      }
    }
  }

  /** Number of tokens. */
  public int tokens() {
    return k.tokens();
  }

  /** The tokens [from, to); what came before is in the state that they then run on. */
  public MemoryInputs slice(int from, int to) {
    return new MemoryInputs(
        q.slice(from, to),
        k.slice(from, to),
        v.slice(from, to),
        retention.slice(from, to),
        step.slice(from, to),
        gate == null ? null : gate.slice(from, to));
  }
}
