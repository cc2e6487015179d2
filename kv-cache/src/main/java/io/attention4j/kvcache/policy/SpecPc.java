package io.attention4j.kvcache.policy;

import io.attention4j.engine.operator.KvCacheContext;
import io.attention4j.engine.operator.OptionSpec;
import io.attention4j.engine.operator.TokenRanker;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Comparator;
import java.util.stream.IntStream;

/**
 * Shortens prompts by a draft model's attention (SpecPC of "Draft-based approximate inference",
 * arXiv 2506.08373): tokens in the order of the pooled importance that {@link DraftAttention} saw,
 * each with its nearest neighbours, after the newest {@code window} tokens, until the budget is
 * full; the model then gets them as a prompt without gaps.
 *
 * @param budget tokens that stay
 * @param window newest tokens, which stay and whose rows vote
 * @param kernel tokens over which importance is pooled; an even one reaches one further back [R]
 * @param neighbours tokens around an important one that come with it, itself included
 * @param firstLayer first draft layer that votes; -1 = 8, or half of the layers of a draft with
 *     fewer than 16 [R]
 * @param lookahead tokens that the draft writes
 * @param weighted whether the window's rows count linearly from 0 to 1
 * @param reduce how votes of layers, heads, rows and neighbours become one
 */
public record SpecPc(
    Budget budget,
    int window,
    int kernel,
    int neighbours,
    int firstLayer,
    int lookahead,
    boolean weighted,
    Reduction reduce)
    implements TokenRanker {
  /** Name in options. */
  public static final String ID = "specpc";

  private static final int WINDOW = 64;
  private static final int KERNEL = 32;
  private static final int FIRST_LAYER = 8;

  /** Checks that the window fits the budget. */
  public SpecPc {
    if (window > budget.tokens()) {
      throw new IllegalArgumentException(
          "'specpc' keeps the newest window="
              + window
              + " tokens, more than tokens="
              + budget.tokens()
              + "; raise tokens or lower window");
    }
  }

  /**
   * {@code specpc:keep=SHARE|tokens=N[;window=64;kernel=32;neighbours=32;layer=-1;lookahead=1;
   * weighted=true;reduce=max]}.
   */
  public static SpecPc of(OptionSpec option) {
    option.allow(
        Budget.KEEP,
        Budget.TOKENS,
        "window",
        "kernel",
        "neighbours",
        "layer",
        "lookahead",
        "weighted",
        "reduce");
    int kernel = option.integer("kernel", KERNEL, 1, 1 << 16);
    String weighted = option.text("weighted", "true");
    if (!weighted.equals("true") && !weighted.equals("false")) {
      throw new IllegalArgumentException(
          "'specpc' setting weighted=" + weighted + " must be true or false");
    }
    return new SpecPc(
        Budget.of(option),
        option.integer("window", WINDOW, 1, 1 << 16),
        kernel,
        option.integer("neighbours", kernel, 1, 1 << 16),
        option.integer("layer", -1, -1, 1 << 16),
        option.integer("lookahead", 1, 1, 1 << 16),
        weighted.equals("true"),
        Reduction.of(option, "reduce"));
  }

  /** The first step of SpecKV-PC. */
  static SpecPc of(int tokens, int lookahead) {
    return new SpecPc(
        new Budget(1, tokens),
        Math.min(WINDOW, tokens),
        KERNEL,
        KERNEL,
        -1,
        lookahead,
        true,
        Reduction.MAX);
  }

  @Override
  public int budget(int promptTokens) {
    return budget.of(promptTokens);
  }

  @Override
  public Ranking open(KvCacheContext draft) {
    return new DraftAttention(this, voters(draft.layers()), draft);
  }

  private int voters(int layers) {
    int first = firstLayer >= 0 ? firstLayer : Math.min(FIRST_LAYER, layers / 2);
    if (first >= layers) {
      throw new IllegalArgumentException(
          "'specpc' lets layers from "
              + first
              + " vote, but the draft model has "
              + layers
              + "; lower layer=");
    }
    return first;
  }

  /**
   * The tokens that stay, ascending.
   *
   * @param importance of each token of the prompt
   */
  int[] choose(double[] importance) {
    int tokens = importance.length;
    int most = budget.of(tokens);
    BitSet kept = new BitSet();
    int room = most;
    for (int at = tokens - 1; at >= Math.max(0, tokens - window) && room > 0; at--) {
      kept.set(at);
      room--;
    }
    double[] pooled = pooled(importance);
    int[] order =
        IntStream.range(0, tokens)
            .boxed()
            .sorted(Comparator.comparingDouble(token -> -pooled[token]))
            .mapToInt(Integer::intValue)
            .toArray();
    for (int i = 0; i < order.length && room > 0; i++) {
      for (int step = 0; step < neighbours && room > 0; step++) {
        // 0, -1, +1, -2, +2, ...: the nearest first
        int at = order[i] + (step % 2 == 0 ? step / 2 : -(step + 1) / 2);
        if (at >= 0 && at < tokens && !kept.get(at)) {
          kept.set(at);
          room--;
        }
      }
    }
    return kept.stream().toArray();
  }

  private double[] pooled(double[] importance) {
    double[] pooled = new double[importance.length];
    for (int i = 0; i < pooled.length; i++) {
      int from = Math.max(0, i - kernel / 2);
      int to = Math.min(pooled.length, i - kernel / 2 + kernel);
      double[] around = Arrays.copyOfRange(importance, from, to);
      pooled[i] =
          reduce == Reduction.MAX
              ? Arrays.stream(around).max().orElse(0)
              : Arrays.stream(around).sum() / kernel;
    }
    return pooled;
  }
}
