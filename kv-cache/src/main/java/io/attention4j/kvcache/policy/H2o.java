package io.attention4j.kvcache.policy;

import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.OptionSpec;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.Arrays;

/**
 * The heavy hitters and the newest tokens (H2O, Zhang et al. 2023, arXiv 2306.14048): an entry's
 * score is the attention mass it has got from all rows so far, averaged over the query heads of its
 * group; part of the budget goes to the newest tokens, the rest to the highest scores. The mass of
 * a prompt costs what its scores cost, once more.
 *
 * @param budget tokens of a head
 * @param recent share of the budget for the newest tokens
 */
public record H2o(Budget budget, double recent) implements KvPolicy {
  /** Name in options. */
  public static final String ID = "h2o";

  private static final double RECENT = 0.5;

  /** Rows whose weights are computed at once. */
  private static final int ROWS = 64;

  /** {@code h2o:keep=SHARE|tokens=N[;recent=0.5]}. */
  public static H2o of(OptionSpec option) {
    option.allow(Budget.KEEP, Budget.TOKENS, "recent");
    return new H2o(Budget.of(option), option.number("recent", RECENT, 0, 1));
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
    return 1;
  }

  @Override
  public PolicyState open(LayerShape shape) {
    return new State(shape, new AttentionMass(shape, ID));
  }

  /** Sums live with the entries. */
  private final class State implements PolicyState {
    private final LayerShape shape;
    private final AttentionMass mass;
    private final QueryWindow rows;
    private long observed;

    State(LayerShape shape, AttentionMass mass) {
      this.shape = shape;
      this.mass = mass;
      rows = new QueryWindow(ROWS, shape.queryHeads(), shape.headDim());
    }

    @Override
    public void observe(ObservedRows step, KvEntries entries) {
      if (budget.of(Integer.MAX_VALUE) == Integer.MAX_VALUE) {
        return; // nothing will ever be dropped
      }
      int group = shape.queryHeads() / shape.kvHeads();
      for (int from = 0; from < step.rows(); from += ROWS) {
        rows.clear();
        rows.record(step, from, Math.min(step.rows(), from + ROWS));
        for (int head = 0; head < shape.kvHeads(); head++) {
          int kvHead = head;
          mass.of(
              entries,
              head,
              rows,
              (entry, weights) -> {
                double sum = Arrays.stream(weights).sum() / group;
                if (sum != 0) {
                  entries.score(kvHead, entry, (float) (entries.score(kvHead, entry) + sum));
                }
              });
        }
      }
      rows.clear();
      observed = step.position(step.rows() - 1) + 1;
    }

    @Override
    public void decide(KvEntries entries, boolean promptEnds, Decision out) {
      int tokens = budget.of(entries.length());
      if (entries.count(0) <= tokens) {
        return; // all heads hold as many
      }
      long newest = entries.length() - Math.max(1, (int) (recent * tokens));
      double[][] scores = new double[entries.kvHeads()][];
      for (int head = 0; head < scores.length; head++) {
        scores[head] = new double[entries.count(head)];
        for (int entry = 0; entry < scores[head].length; entry++) {
          scores[head][entry] =
              entries.position(head, entry) >= newest
                  ? Double.POSITIVE_INFINITY
                  : entries.score(head, entry);
        }
      }
      HeadChoice.decide(entries, scores, tokens, 1, out);
    }

    @Override
    public boolean rewind(long length) {
      return observed <= length;
    }

    @Override
    public PolicyState fork() {
      State copy = new State(shape, mass);
      copy.observed = observed;
      return copy;
    }

    @Override
    public void save(DataOutput out) throws IOException {
      out.writeLong(observed);
    }

    @Override
    public void load(DataInput in) throws IOException {
      observed = in.readLong();
    }
  }
}
