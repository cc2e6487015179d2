package io.attention4j.kvcache.policy;

import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.KvCacheContext;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.TokenRanker;
import io.attention4j.kvcache.KvCaches;

/**
 * Watches a draft model read a prompt and write a few tokens, drops nothing, and sums up for {@link
 * SpecPc} what the last rows attend to.
 */
final class DraftAttention implements KvPolicy, TokenRanker.Ranking {
  private static final String NAME = "draft-attention";

  private final SpecPc settings;
  private final int firstLayer;
  private final KvCache.Factory caches;
  private double[] importance = {};

  DraftAttention(SpecPc settings, int firstLayer, KvCacheContext draft) {
    this.settings = settings;
    this.firstLayer = firstLayer;
    caches = new KvCaches().create("f16", this, draft);
  }

  @Override
  public KvCache.Factory caches() {
    return caches;
  }

  @Override
  public void begin(int promptTokens) {
    importance = new double[promptTokens];
  }

  @Override
  public int[] kept() {
    return settings.choose(importance);
  }

  @Override
  public String id() {
    return NAME;
  }

  @Override
  public KvCache.Observes observes() {
    return KvCache.Observes.MASS;
  }

  @Override
  public long entries(LayerShape shape, long tokens) {
    return shape.kvHeads() * tokens;
  }

  @Override
  public int interval() {
    return 1;
  }

  @Override
  public PolicyState open(LayerShape shape) {
    return shape.layer() < firstLayer ? new Quiet() : new State(shape);
  }

  /** A layer that does not vote. */
  private static final class Quiet implements PolicyState {
    @Override
    public void decide(KvEntries entries, boolean promptEnds, Decision out) {}

    @Override
    public PolicyState fork() {
      return this;
    }
  }

  private final class State implements PolicyState {
    private final LayerShape shape;
    private final AttentionMass mass;
    private final QueryWindow rows;

    State(LayerShape shape) {
      this.shape = shape;
      mass = new AttentionMass(shape, NAME);
      rows = new QueryWindow(settings.window(), shape.queryHeads(), shape.headDim());
    }

    @Override
    public void observe(ObservedRows step, KvEntries entries) {
      rows.record(step);
    }

    @Override
    public void decide(KvEntries entries, boolean promptEnds, Decision out) {
      if (!promptEnds) {
        rows.limit(1); // a row of the draft's own answer
      }
      int group = shape.queryHeads() / shape.kvHeads();
      for (int head = 0; head < shape.kvHeads(); head++) {
        int kvHead = head;
        mass.of(
            entries,
            head,
            rows,
            (entry, weights) -> {
              long position = entries.position(kvHead, entry);
              if (position < importance.length) {
                for (int i = 0; i < weights.length; i++) {
                  add((int) position, weights[i] * rowWeight(i / group, promptEnds));
                }
              }
            });
      }
      rows.clear();
    }

    private double rowWeight(int row, boolean promptEnds) {
      return promptEnds && settings.weighted() && rows.size() > 1 ? row / (rows.size() - 1.0) : 1;
    }

    private void add(int token, double weight) {
      importance[token] =
          settings.reduce() == Reduction.MAX
              ? Math.max(importance[token], weight)
              : importance[token] + weight;
    }

    @Override
    public PolicyState fork() {
      throw new IllegalStateException("a draft model is watched in one sequence");
    }
  }
}
