package io.attention4j.kvcache.policy;

import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.OptionSpec;

/**
 * The entries to which future queries will attend, in closed form (expected attention of kvpress):
 * queries before rotation are taken as normal with the prompt's mean and covariance, rotated by the
 * mean rotation of the next {@code future} positions, so an entry's score is z = scale mu'.k +
 * scale^2 / 2 k'Sigma'k; softmax over entries, mean over the group, plus eps, times |v|. The first
 * {@code sinks} tokens and the newest one stay.
 *
 * @param budget tokens of a head on average
 * @param sinks first tokens, whose queries do not count and which stay
 * @param future positions ahead that the rotation is averaged over
 * @param eps added to the softmax
 * @param safeguard see {@link HeadChoice#decide}; 1 for equal heads
 */
public record ExpectedAttention(Budget budget, int sinks, int future, double eps, double safeguard)
    implements KvPolicy {
  /** Name in options. */
  public static final String ID = "expected-attention";

  private static final int SINKS = 4;
  private static final int FUTURE = 512;

  /** {@code expected-attention:keep=SHARE|tokens=N[;sinks=4;future=512;eps=0;safeguard=1]}. */
  public static ExpectedAttention of(OptionSpec option) {
    option.allow(Budget.KEEP, Budget.TOKENS, "sinks", "future", "eps", "safeguard");
    return new ExpectedAttention(
        Budget.of(option),
        option.integer("sinks", SINKS, 0, 1 << 20),
        option.integer("future", FUTURE, 1, 1 << 20),
        option.number("eps", 0, 0, 1),
        option.number("safeguard", 1, 0, 1));
  }

  @Override
  public String id() {
    return ID;
  }

  @Override
  public KvCache.Observes observes() {
    return KvCache.Observes.QUERIES;
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
  public PolicyState open(LayerShape shape) {
    return new State(shape, null);
  }

  private final class State implements PolicyState {
    private final LayerShape shape;

    /** Of the prompt under way; null between prompts. */
    private QueryMoments moments;

    State(LayerShape shape, QueryMoments moments) {
      this.shape = shape;
      this.moments = moments;
    }

    @Override
    public void observe(ObservedRows rows, KvEntries entries) {
      if (rows.rows() > 1 || rows.continued() || moments != null) {
        if (moments == null) {
          moments = new QueryMoments(shape);
        }
        moments.add(rows, sinks);
      }
    }

    @Override
    public void decide(KvEntries entries, boolean promptEnds, Decision out) {
      int tokens = budget.of(entries.length());
      if (moments != null && moments.count() > 0 && !HeadChoice.fits(entries, tokens)) {
        moments.close(future);
        double[][] scores = new double[entries.kvHeads()][];
        for (int head = 0; head < scores.length; head++) {
          scores[head] = scores(entries, head, tokens);
        }
        HeadChoice.decide(entries, scores, tokens, safeguard, out);
      }
      moments = null;
    }

    private double[] scores(KvEntries entries, int kvHead, int tokens) {
      int count = entries.count(kvHead);
      int group = shape.queryHeads() / shape.kvHeads();
      double[] mean = new double[count];
      double[] z = new double[count];
      float[] key = new float[shape.headDim()];
      int firsts = Math.min(sinks, tokens - 1);
      for (int h = 0; h < group; h++) {
        double max = Double.NEGATIVE_INFINITY;
        for (int entry = 0; entry < count; entry++) {
          entries.key(kvHead, entry, key);
          boolean sink = entries.position(kvHead, entry) < firsts;
          z[entry] =
              sink
                  ? Double.NEGATIVE_INFINITY
                  : moments.expectedScore(kvHead * group + h, key, shape.scale());
          max = Math.max(max, z[entry]);
        }
        double sum = 0;
        for (int entry = 0; entry < count; entry++) {
          sum += Math.exp(z[entry] - max);
        }
        for (int entry = 0; entry < count; entry++) {
          mean[entry] += Math.exp(z[entry] - max) / sum / group;
        }
      }
      float[] value = new float[shape.valueDim()];
      for (int entry = 0; entry < count; entry++) {
        long position = entries.position(kvHead, entry);
        if (position < firsts || position == entries.length() - 1) {
          mean[entry] = Double.POSITIVE_INFINITY;
          continue;
        }
        entries.value(kvHead, entry, value);
        double square = 0;
        for (float v : value) {
          square += (double) v * v;
        }
        mean[entry] = (mean[entry] + eps) * Math.sqrt(square);
      }
      return mean;
    }

    @Override
    public boolean rewind(long length) {
      return moments == null;
    }

    @Override
    public PolicyState fork() {
      return new State(shape, moments == null ? null : moments.copy());
    }

    @Override
    public long bytes() {
      return moments == null ? 0 : moments.bytes();
    }
  }
}
