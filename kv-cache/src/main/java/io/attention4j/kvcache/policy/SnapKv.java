package io.attention4j.kvcache.policy;

import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.OptionSpec;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;

/**
 * The prompt's last rows vote for what stays (SnapKV, Li et al. 2024, arXiv 2404.14469): the rows
 * themselves and the entries with the highest {@link WindowVote}. PyramidKV and AdaKV are the same
 * vote with a budget per layer and a budget shared by heads.
 *
 * @param id name in options
 * @param budget tokens of a head on average, window included
 * @param window rows that vote
 * @param kernel entries that are averaged, odd
 * @param safeguard see {@link HeadChoice#decide}; 1 for equal heads
 * @param beta PyramidKV's slope (arXiv 2406.02069), 0 for equal layers
 * @param layers layers of the model
 * @param interval decoded tokens between two votes, 0 for none after the prompt
 */
public record SnapKv(
    String id,
    Budget budget,
    int window,
    int kernel,
    double safeguard,
    double beta,
    int layers,
    int interval)
    implements KvPolicy {
  /** Name of SnapKV. */
  public static final String ID = "snapkv";

  /** Name of PyramidKV. */
  public static final String PYRAMID = "pyramidkv";

  /** Name of AdaKV over SnapKV's scores. */
  public static final String ADA = "adakv";

  private static final int WINDOW = 64;
  private static final int KERNEL = 5;
  private static final double SAFEGUARD = 0.2;
  private static final double BETA = 20;

  /** Checks the ranges. */
  public SnapKv {
    if (kernel % 2 == 0) {
      throw new IllegalArgumentException(
          "KV policy '" + id + "' needs an odd kernel, not " + kernel);
    }
  }

  /** {@code snapkv:keep=SHARE|tokens=N[;window=64;kernel=5;interval=0]}. */
  public static SnapKv of(OptionSpec option) {
    option.allow(Budget.KEEP, Budget.TOKENS, "window", "kernel", "interval");
    return of(option, ID, 1, 0, 1);
  }

  /** {@code pyramidkv:...[;beta=20]}. */
  public static SnapKv pyramid(OptionSpec option, int layers) {
    option.allow(Budget.KEEP, Budget.TOKENS, "window", "kernel", "interval", "beta");
    return of(option, PYRAMID, 1, option.number("beta", BETA, 1, 1e6), layers);
  }

  /** {@code adakv:...[;safeguard=0.2]}. */
  public static SnapKv ada(OptionSpec option) {
    option.allow(Budget.KEEP, Budget.TOKENS, "window", "kernel", "interval", "safeguard");
    return of(option, ADA, option.number("safeguard", SAFEGUARD, 0, 1), 0, 1);
  }

  private static SnapKv of(
      OptionSpec option, String id, double safeguard, double beta, int layers) {
    return new SnapKv(
        id,
        Budget.of(option),
        option.integer("window", WINDOW, 1, 1 << 16),
        option.integer("kernel", KERNEL, 1, 1 << 16),
        safeguard,
        beta,
        layers,
        option.integer("interval", 0, 0, Integer.MAX_VALUE));
  }

  @Override
  public KvCache.Observes observes() {
    return KvCache.Observes.MASS;
  }

  @Override
  public long entries(LayerShape shape, long tokens) {
    return shape.kvHeads() * (long) headTokens(shape.layer(), tokens);
  }

  /**
   * Tokens of a head in a layer, the window included, but at least the window. kvpress' arithmetic:
   * with C = budget, most = 2 (C - w) - least, least = (C - w) / beta, falling linearly; equal
   * layers where that leaves its bounds.
   */
  int headTokens(int layer, long tokens) {
    int equal = budget.of(tokens);
    if (beta == 0 || layers == 1 || equal >= tokens) {
      return equal;
    }
    double rest = equal;
    double least = rest / beta;
    double most = 2 * rest - least;
    if (most >= tokens - window) {
      most = tokens - window;
      least = 2 * rest - most;
    }
    if (!(most <= tokens && least >= window && most >= least)) {
      return equal;
    }
    return (int) Math.round(most - layer * ((most - least) / (layers - 1)));
  }

  @Override
  public PolicyState open(LayerShape shape) {
    return new State(
        shape,
        new WindowVote(shape, kernel, id),
        new QueryWindow(window, shape.queryHeads(), shape.headDim()));
  }

  private final class State implements PolicyState {
    private final LayerShape shape;
    private final WindowVote vote;
    private final VotingRows rows;

    State(LayerShape shape, WindowVote vote, QueryWindow window) {
      this(shape, vote, new VotingRows(window, interval > 0));
    }

    State(LayerShape shape, WindowVote vote, VotingRows rows) {
      this.shape = shape;
      this.vote = vote;
      this.rows = rows;
    }

    @Override
    public void observe(ObservedRows step, KvEntries entries) {
      rows.observe(step);
    }

    @Override
    public void decide(KvEntries entries, boolean promptEnds, Decision out) {
      int tokens = headTokens(shape.layer(), entries.length());
      QueryWindow window = rows.voting(tokens);
      if (window != null && !HeadChoice.fits(entries, tokens)) {
        HeadChoice.decide(entries, vote.scores(entries, window), tokens, safeguard, out);
      }
      rows.decided();
    }

    @Override
    public boolean rewind(long length) {
      return rows.rewind(length);
    }

    @Override
    public PolicyState fork() {
      return new State(shape, vote, rows.copy());
    }

    @Override
    public void save(DataOutput out) throws IOException {
      rows.save(out);
    }

    @Override
    public void load(DataInput in) throws IOException {
      rows.load(in);
    }

    @Override
    public long bytes() {
      return rows.bytes();
    }
  }
}
