package io.attention4j.kvcache.policy;

import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.OptionSpec;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.Arrays;

/**
 * The entries to which the newest row attends most, averaged over all heads, the same set for every
 * head of a layer (TOVA, Oren et al. 2024, arXiv 2401.06104). The newest token stays.
 *
 * @param budget tokens of a head
 */
public record Tova(Budget budget) implements KvPolicy {
  /** Name in options. */
  public static final String ID = "tova";

  /** {@code tova:keep=SHARE|tokens=N}. */
  public static Tova of(OptionSpec option) {
    return new Tova(Budget.of(option.allow(Budget.KEEP, Budget.TOKENS)));
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
    return new State(
        shape,
        new AttentionMass(shape, ID),
        new QueryWindow(1, shape.queryHeads(), shape.headDim()));
  }

  private final class State implements PolicyState {
    private final LayerShape shape;
    private final AttentionMass mass;
    private final QueryWindow last;

    State(LayerShape shape, AttentionMass mass, QueryWindow last) {
      this.shape = shape;
      this.mass = mass;
      this.last = last;
    }

    @Override
    public void observe(ObservedRows rows, KvEntries entries) {
      last.record(rows);
    }

    @Override
    public void decide(KvEntries entries, boolean promptEnds, Decision out) {
      int tokens = budget.of(entries.length());
      // All heads drop the same tokens, so entry e is the same token in every head.
      int count = entries.count(0);
      if (count <= tokens) {
        return;
      }
      double[] sums = new double[count];
      for (int head = 0; head < entries.kvHeads(); head++) {
        mass.of(
            entries,
            head,
            last,
            (entry, weights) -> sums[entry] += Arrays.stream(weights).sum() / shape.queryHeads());
      }
      for (int entry = 0; entry < count; entry++) {
        if (entries.position(0, entry) == last.newest()) {
          sums[entry] = Double.POSITIVE_INFINITY;
        }
      }
      double[][] scores = new double[entries.kvHeads()][];
      Arrays.fill(scores, sums);
      HeadChoice.decide(entries, scores, tokens, 1, out);
    }

    @Override
    public boolean rewind(long length) {
      return true; // the row that decides is always the step's own
    }

    @Override
    public PolicyState fork() {
      return new State(shape, mass, last.copy());
    }

    @Override
    public void save(DataOutput out) throws IOException {
      last.save(out);
    }

    @Override
    public void load(DataInput in) throws IOException {
      last.load(in);
    }

    @Override
    public long bytes() {
      return last.bytes();
    }
  }
}
