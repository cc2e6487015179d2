package io.attention4j.kvcache.policy;

import java.util.Arrays;
import java.util.BitSet;

/**
 * What a policy wants: entries to drop, and at most one summary per KV head that stands for what
 * was dropped. The owner is the cache, which clears it before each decision; a head's summary stays
 * until it is replaced.
 */
public final class Decision {
  private final BitSet[] drops;
  private final Summary[] summaries;
  private int asOf = -1;

  /**
   * An entry that no token has.
   *
   * @param key headDim elements
   * @param value valueDim elements
   * @param bias added to its score
   * @param position where masks and position biases see it
   */
  public record Summary(float[] key, float[] value, float bias, int position) {}

  /** For a cache with so many KV heads. */
  public Decision(int kvHeads) {
    drops = new BitSet[kvHeads];
    summaries = new Summary[kvHeads];
    Arrays.setAll(drops, head -> new BitSet());
  }

  /** Drops nothing and sets no summary. */
  public void clear() {
    for (BitSet drop : drops) {
      drop.clear();
    }
    Arrays.fill(summaries, null);
    asOf = -1;
  }

  /** Drops an entry. */
  public void drop(int kvHead, int entry) {
    drops[kvHead].set(entry);
  }

  /** Drops all of the first {@code count} entries that are not among the kept. */
  public void keepOnly(int kvHead, BitSet kept, int count) {
    drops[kvHead].clear();
    drops[kvHead].set(0, count);
    drops[kvHead].andNot(kept);
  }

  /** Sets the summary of a head. */
  public void summary(int kvHead, Summary summary) {
    summaries[kvHead] = summary;
  }

  /**
   * Says that the decision is meant for the sequence when it had so many tokens, to which it will
   * go back; without it, for the sequence as it is.
   */
  public void asOf(int tokens) {
    asOf = tokens;
  }

  /** Tokens of the sequence that the decision is meant for, so many unless it says otherwise. */
  public int asOfOr(int length) {
    return asOf < 0 ? length : asOf;
  }

  /** The entries to drop. */
  public BitSet drops(int kvHead) {
    return drops[kvHead];
  }

  /** The new summary of a head, or null where it stays. */
  public Summary summary(int kvHead) {
    return summaries[kvHead];
  }
}
