package io.attention4j.sparse;

import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.operator.OptionSpec;
import java.util.BitSet;
import java.util.List;

/**
 * Attention sinks and a sliding window (StreamingLLM, Xiao et al. 2023, arXiv 2309.17453): row i
 * sees the first {@code sinks} keys and keys (i - tokens, i]. Keys keep their positions; the
 * paper's streaming cache, which renumbers them, is another thing (the rotation of a key is part of
 * what is stored).
 *
 * @param sinks first keys of the sequence, which every row sees
 * @param tokens keys of the window, the row's own included
 */
public record SinkWindow(int sinks, int tokens) implements BlockSelector {
  /** Name in options. */
  public static final String ID = "sink-window";

  static final int DEFAULT_SINKS = 4;
  static final int DEFAULT_TOKENS = 1020;

  /** Checks the ranges. */
  public SinkWindow {
    Settings.require(ID, "sinks", sinks, 0);
    Settings.require(ID, "tokens", tokens, 1);
  }

  static SinkWindow of(OptionSpec option) {
    option.allow("sinks", "tokens");
    return new SinkWindow(
        Settings.integer(option, "sinks", DEFAULT_SINKS, 0),
        Settings.integer(option, "tokens", DEFAULT_TOKENS, 1));
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
    return new Mask.AnyOf(List.of(new Mask.Window(tokens - 1, 0), new Mask.Global(sinks)));
  }

  @Override
  public void select(QueryBlock query, BitSet chosen) {
    long firstKey = Math.max(0, query.firstPosition() - tokens + 1);
    long lastKey = query.firstPosition() + query.rows() - 1;
    chosen.set(query.keyBlockOf(firstKey), query.keyBlockOf(lastKey) + 1);
    if (sinks > 0) {
      chosen.set(0, Math.min(query.keyBlocks(), query.keyBlockOf(sinks - 1) + 1));
    }
  }
}
