package io.attention4j.sparse;

import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.operator.OptionSpec;
import java.util.BitSet;
import java.util.List;

/**
 * Longformer's pattern (Beltagy et al. 2020, arXiv 2004.05150): a sliding window and global tokens,
 * which every row sees and which see every key.
 *
 * <p>In a bidirectional layer row i sees keys [i - tokens / 2, i + tokens / 2], as in the paper; in
 * a causal layer the last {@code tokens} keys, its own included. The global tokens are the first
 * {@code globals} of the sequence, as in classification. The paper's separate projections for
 * global attention are weights that a decoder does not have; global rows use the common ones.
 *
 * @param tokens width of the window
 * @param globals first tokens of the sequence, global
 * @param bidirectional whether the layer is
 */
public record Longformer(int tokens, int globals, boolean bidirectional) implements BlockSelector {
  /** Name in options. */
  public static final String ID = "longformer";

  static final int DEFAULT_TOKENS = 512;
  static final int DEFAULT_GLOBALS = 1;

  /** Checks the ranges. */
  public Longformer {
    Settings.require(ID, "tokens", tokens, 0);
    Settings.require(ID, "globals", globals, 0);
  }

  static Longformer of(OptionSpec option) {
    option.allow("tokens", "globals");
    return new Longformer(
        Settings.integer(option, "tokens", DEFAULT_TOKENS, 0),
        Settings.integer(option, "globals", DEFAULT_GLOBALS, 0),
        false);
  }

  Longformer in(boolean bidirectionalLayer) {
    return new Longformer(tokens, globals, bidirectionalLayer);
  }

  private int left() {
    return bidirectional ? tokens / 2 : Math.max(0, tokens - 1);
  }

  private int right() {
    return bidirectional ? tokens / 2 : 0;
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
    return new Mask.AnyOf(List.of(new Mask.Window(left(), right()), new Mask.Global(globals)));
  }

  @Override
  public void select(QueryBlock query, BitSet chosen) {
    if (query.firstPosition() < globals) {
      chosen.set(0, query.keyBlocks());
      return;
    }
    long firstKey = Math.max(0, query.firstPosition() - left());
    long lastKey = query.firstPosition() + query.rows() - 1 + right();
    int end = Math.min(query.keyBlocks(), query.keyBlockOf(lastKey) + 1);
    chosen.set(query.keyBlockOf(firstKey), end);
    if (globals > 0) {
      chosen.set(0, Math.min(query.keyBlocks(), query.keyBlockOf(globals - 1) + 1));
    }
  }
}
