package io.attention4j.kvcache.policy;

import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.OptionSpec;

/**
 * The first tokens and the most recent ones, at their original positions (StreamingLLM, Xiao et al.
 * 2023, arXiv 2309.17453; the paper numbers positions anew inside the cache). Without sinks it is a
 * sliding window.
 *
 * @param id name in options
 * @param sinks first tokens that stay
 * @param budget tokens of a head, sinks included
 */
public record SinkWindow(String id, int sinks, Budget budget) implements KvPolicy {
  /** Name of the policy with sinks. */
  public static final String ID = "sink-window";

  /** Name of the policy without sinks. */
  public static final String WINDOW = "window";

  private static final int DEFAULT_SINKS = 4;

  /** {@code sink-window:keep=SHARE|tokens=N[;sinks=4]}. */
  public static SinkWindow of(OptionSpec option) {
    option.allow(Budget.KEEP, Budget.TOKENS, "sinks");
    return new SinkWindow(
        ID, option.integer("sinks", DEFAULT_SINKS, 0, 1 << 20), Budget.of(option));
  }

  /** {@code window:keep=SHARE|tokens=N}. */
  public static SinkWindow window(OptionSpec option) {
    option.allow(Budget.KEEP, Budget.TOKENS);
    return new SinkWindow(WINDOW, 0, Budget.of(option));
  }

  @Override
  public KvCache.Observes observes() {
    return KvCache.Observes.NOTHING;
  }

  @Override
  public long entries(LayerShape shape, long tokens) {
    return shape.kvHeads() * (long) budget.of(tokens);
  }

  @Override
  public int interval() {
    return 1;
  }

  @Override
  public PolicyState open(LayerShape shape) {
    return new State();
  }

  private final class State implements PolicyState {
    @Override
    public void decide(KvEntries entries, boolean promptEnds, Decision out) {
      int keep = budget.of(entries.length());
      int first = Math.min(sinks, Math.max(0, keep - 1));
      long recent = entries.length() - (keep - first);
      for (int head = 0; head < entries.kvHeads(); head++) {
        if (entries.count(head) <= keep) {
          continue;
        }
        for (int entry = 0; entry < entries.count(head); entry++) {
          long position = entries.position(head, entry);
          if (position >= first && position < recent) {
            out.drop(head, entry);
          }
        }
      }
    }

    @Override
    public PolicyState fork() {
      return this; // remembers nothing
    }
  }
}
