package io.attention4j.kvcache.policy;

import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.OptionSpec;
import java.nio.file.Path;

/**
 * Retrieval heads keep everything, streaming heads the first and the newest tokens (DuoAttention,
 * Xiao et al. 2024, arXiv 2410.10819). Which is which says a file of gates, one per KV head, as the
 * authors publish them.
 *
 * @param retrieval [layer][kvHead], whether the head keeps everything
 * @param sinks first tokens of a streaming head
 * @param recent newest tokens of a streaming head
 */
public record Duo(boolean[][] retrieval, int sinks, int recent) implements KvPolicy {
  /** Name in options. */
  public static final String ID = "duo";

  private static final double FULL_HEADS = 0.5;
  private static final int SINKS = 64;
  private static final int RECENT = 256;

  /**
   * {@code duo:file=PATH[;heads=0.5;sinks=64;recent=256]}; {@code heads} is the share of heads with
   * the highest gates that keep everything.
   */
  public static Duo of(OptionSpec option) {
    option.allow("file", "heads", "sinks", "recent");
    String file = option.text("file", null);
    if (file == null) {
      throw new IllegalArgumentException(
          "KV policy 'duo' needs the gates of its heads; give duo:file=PATH");
    }
    return new Duo(
        HeadTable.read(Path.of(file)).getFirst().highest(option.number("heads", FULL_HEADS, 0, 1)),
        option.integer("sinks", SINKS, 0, 1 << 20),
        option.integer("recent", RECENT, 1, Integer.MAX_VALUE));
  }

  @Override
  public String id() {
    return ID;
  }

  @Override
  public KvCache.Observes observes() {
    return KvCache.Observes.NOTHING;
  }

  @Override
  public int interval() {
    return 1;
  }

  private boolean[] heads(LayerShape shape) {
    Razor.requireHeads(retrieval, shape, ID);
    return retrieval[shape.layer()];
  }

  @Override
  public long entries(LayerShape shape, long tokens) {
    long sum = 0;
    for (boolean full : heads(shape)) {
      sum += full ? tokens : Math.min(tokens, (long) sinks + recent);
    }
    return sum;
  }

  @Override
  public PolicyState open(LayerShape shape) {
    return new State(heads(shape));
  }

  private final class State implements PolicyState {
    private final boolean[] full;

    State(boolean[] full) {
      this.full = full;
    }

    @Override
    public void decide(KvEntries entries, boolean promptEnds, Decision out) {
      long newest = entries.length() - recent;
      for (int head = 0; head < full.length; head++) {
        if (full[head] || entries.count(head) <= (long) sinks + recent) {
          continue;
        }
        for (int entry = 0; entry < entries.count(head); entry++) {
          long position = entries.position(head, entry);
          if (position >= sinks && position < newest) {
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
