package io.attention4j.kvcache.policy;

import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.OptionSpec;
import io.attention4j.engine.operator.TokenRanker;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.Optional;

/**
 * The prompt's last rows and those of an answer that a draft model guessed vote for what stays
 * (SpecKV of "Draft-based approximate inference", arXiv 2506.08373): the rows' own entries and,
 * before them, those with the highest {@link WindowVote}. The guessed tokens and the last prompt
 * token leave the cache again, and decoding starts with the latter. Without guesses it is SnapKV
 * with maxima. The sparse prefill of the paper is not part of it: prompts are dense.
 *
 * @param budget tokens of a head that stay of a prompt, window included
 * @param window rows of the prompt that vote
 * @param kernel entries that are pooled, odd
 * @param guesses tokens that the draft writes (the paper: as many as will be generated, which a
 *     cache does not know [R])
 * @param ofRows how votes of rows and heads become one
 * @param pool how neighbours are pooled
 * @param shortened shortens prompts before (SpecKV-PC), or null
 */
public record SpecKv(
    Budget budget,
    int window,
    int kernel,
    int guesses,
    Reduction ofRows,
    Reduction pool,
    SpecPc shortened)
    implements KvPolicy {
  /** Name in options. */
  public static final String ID = "speckv";

  private static final int WINDOW = 32;
  private static final int KERNEL = 7;
  private static final int LOOKAHEAD = 64;

  /** Checks the ranges. */
  public SpecKv {
    if (kernel % 2 == 0) {
      throw new IllegalArgumentException("KV policy 'speckv' needs an odd kernel, not " + kernel);
    }
  }

  /**
   * {@code speckv:keep=SHARE|tokens=N[;window=32;kernel=7;lookahead=64;reduce=max;pool=max;
   * prompt=0]}.
   */
  public static SpecKv of(OptionSpec option) {
    option.allow(
        Budget.KEEP, Budget.TOKENS, "window", "kernel", "lookahead", "reduce", "pool", "prompt");
    int guesses = option.integer("lookahead", LOOKAHEAD, 1, 1 << 16);
    int prompt = option.integer("prompt", 0, 0, Integer.MAX_VALUE);
    return new SpecKv(
        Budget.of(option),
        option.integer("window", WINDOW, 1, 1 << 16),
        option.integer("kernel", KERNEL, 1, 1 << 16),
        guesses,
        Reduction.of(option, "reduce"),
        Reduction.of(option, "pool"),
        prompt == 0 ? null : SpecPc.of(prompt, guesses));
  }

  @Override
  public String id() {
    return ID;
  }

  @Override
  public KvCache.Observes observes() {
    return KvCache.Observes.MASS;
  }

  @Override
  public long entries(LayerShape shape, long tokens) {
    return shape.kvHeads() * (long) budget.of(tokens);
  }

  @Override
  public int interval() {
    return 0;
  }

  @Override
  public int lookahead(int promptTokens) {
    return budget.of(promptTokens) < promptTokens ? guesses : 0;
  }

  @Override
  public Optional<TokenRanker> ranker() {
    return Optional.ofNullable(shortened);
  }

  @Override
  public PolicyState open(LayerShape shape) {
    return new State(shape, new WindowVote(shape, kernel, ofRows, pool, ID), null, 0);
  }

  private final class State implements PolicyState {
    private final LayerShape shape;
    private final WindowVote vote;

    /** Of the prompt under way; null between prompts. */
    private QueryWindow rows;

    /** Rows at its end that leave again: the guesses and the last prompt token. */
    private int leaving;

    State(LayerShape shape, WindowVote vote, QueryWindow rows, int leaving) {
      this.shape = shape;
      this.vote = vote;
      this.rows = rows;
      this.leaving = leaving;
    }

    @Override
    public void observe(ObservedRows step, KvEntries entries) {
      if (step.rows() > 1 || step.continued() || rows != null) {
        if (rows == null) {
          leaving = step.lookahead() == 0 ? 0 : step.lookahead() + 1;
          rows = newRows();
        }
        rows.record(step);
      }
    }

    private QueryWindow newRows() {
      return new QueryWindow(window + leaving, shape.queryHeads(), shape.headDim());
    }

    @Override
    public void decide(KvEntries entries, boolean promptEnds, Decision out) {
      if (rows == null) {
        return;
      }
      long prompt = entries.length() - leaving;
      int kept = budget.of(prompt);
      rows.limit(Math.max(1, kept / 2) + leaving);
      if (!HeadChoice.fits(entries, kept + leaving)) {
        HeadChoice.decide(entries, vote.scores(entries, rows), kept + leaving, 1, out);
        out.asOf(Math.toIntExact(prompt));
      }
      rows = null;
    }

    @Override
    public boolean rewind(long length) {
      return rows == null || rows.newest() < length;
    }

    @Override
    public PolicyState fork() {
      return new State(shape, vote, rows == null ? null : rows.copy(), leaving);
    }

    @Override
    public void save(DataOutput out) throws IOException {
      out.writeInt(rows == null ? -1 : leaving);
      if (rows != null) {
        rows.save(out);
      }
    }

    @Override
    public void load(DataInput in) throws IOException {
      int saved = in.readInt();
      if (saved < -1 || saved > 1 << 17) {
        throw new IOException("a prompt cannot end with " + saved + " guessed tokens");
      }
      rows = null;
      if (saved >= 0) {
        leaving = saved;
        rows = newRows();
        rows.load(in);
      }
    }

    @Override
    public long bytes() {
      return rows == null ? 0 : rows.bytes();
    }
  }
}
