package io.attention4j.sparse;

import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.operator.OptionSpec;
import java.util.BitSet;

/**
 * Causal sliding-window attention (Sparse Transformer, Child et al. 2019, arXiv 1904.10509;
 * Mistral, arXiv 2310.06825): row i sees keys (i - tokens, i].
 *
 * @param tokens keys that a row sees, itself included
 */
public record Window(int tokens) implements BlockSelector {
  /** Name in options. */
  public static final String ID = "window";

  static final int DEFAULT_TOKENS = 1024;

  /** Checks the range. */
  public Window {
    Settings.require(ID, "tokens", tokens, 1);
  }

  static Window of(OptionSpec option) {
    option.allow("tokens");
    return new Window(Settings.integer(option, "tokens", DEFAULT_TOKENS, 1));
  }

  @Override
  public int queryBlock() {
    return Settings.MASKED_QUERY_BLOCK;
  }

  @Override
  public int keyBlock() {
    return Settings.MASKED_KEY_BLOCK;
  }

  @Override
  public Mask mask() {
    return new Mask.Window(tokens - 1, 0);
  }

  @Override
  public void select(QueryBlock query, BitSet chosen) {
    long firstKey = Math.max(0, query.firstPosition() - tokens + 1);
    long lastKey = query.firstPosition() + query.rows() - 1;
    chosen.set(query.keyBlockOf(firstKey), query.keyBlockOf(lastKey) + 1);
  }
}
