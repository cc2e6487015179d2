package io.attention4j.kvcache.policy;

import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.LayerShape;
import java.util.List;

/**
 * Finds retrieval heads: drops nothing and sums the attention that the rows of a repeated random
 * text put on their earlier copies (echo) and on what followed these (induction); RazorAttention,
 * section 3.2. A KV head counts as its best query head. Scores are means over rows; the probe is
 * for one sequence.
 */
public final class RetrievalProbe implements KvPolicy {
  /** Name in messages. */
  public static final String ID = "retrieval-probe";

  private int period;
  private int offset;
  private final double[][] induction;
  private final double[][] echo;

  /** A probe of a model with so many layers. */
  public RetrievalProbe(int layers) {
    induction = new double[layers][];
    echo = new double[layers][];
  }

  /**
   * Says what the text is, before it goes through the model.
   *
   * @param textPeriod tokens after which it repeats
   * @param firstPosition position of its first token, 1 behind a BOS
   */
  public void text(int textPeriod, int firstPosition) {
    period = textPeriod;
    offset = firstPosition;
  }

  /** The tables that {@link Razor} reads, once the text has been through the model. */
  public List<HeadTable> tables() {
    return List.of(new HeadTable(Razor.INDUCTION, induction), new HeadTable(Razor.ECHO, echo));
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
    return shape.kvHeads() * tokens;
  }

  @Override
  public int interval() {
    return 0;
  }

  @Override
  public PolicyState open(LayerShape shape) {
    return new State(shape);
  }

  private final class State implements PolicyState {
    private final LayerShape shape;
    private final AttentionMass mass;
    private final double[] inductionSums; // per query head
    private final double[] echoSums;
    private long rows;

    State(LayerShape shape) {
      this.shape = shape;
      mass = new AttentionMass(shape, ID);
      inductionSums = new double[shape.queryHeads()];
      echoSums = new double[shape.queryHeads()];
    }

    @Override
    public void observe(ObservedRows step, KvEntries entries) {
      QueryWindow one = new QueryWindow(1, shape.queryHeads(), shape.headDim());
      for (int row = 0; row < step.rows(); row++) {
        long position = step.position(row);
        if (position - offset < period) {
          continue;
        }
        one.record(step, row, row + 1);
        rows++;
        for (long copy = position - period; copy >= offset; copy -= period) {
          add(entries, one, copy, echoSums);
          add(entries, one, copy + 1, inductionSums);
        }
      }
      induction[shape.layer()] = best(inductionSums);
      echo[shape.layer()] = best(echoSums);
    }

    private void add(KvEntries entries, QueryWindow row, long position, double[] sums) {
      int group = shape.queryHeads() / shape.kvHeads();
      for (int kvHead = 0; kvHead < shape.kvHeads(); kvHead++) {
        // Nothing was dropped, so entry and position are one.
        double[] weights = mass.of(entries, kvHead, row, (int) position);
        for (int h = 0; h < group; h++) {
          sums[kvHead * group + h] += weights[h];
        }
      }
    }

    private double[] best(double[] sums) {
      int group = shape.queryHeads() / shape.kvHeads();
      double[] best = new double[shape.kvHeads()];
      for (int h = 0; h < sums.length; h++) {
        best[h / group] = Math.max(best[h / group], rows == 0 ? 0 : sums[h] / rows);
      }
      return best;
    }

    @Override
    public void decide(KvEntries entries, boolean promptEnds, Decision out) {}

    @Override
    public PolicyState fork() {
      throw new IllegalStateException("a retrieval probe is for one sequence");
    }
  }
}
