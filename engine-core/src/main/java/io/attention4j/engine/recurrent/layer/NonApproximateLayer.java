package io.attention4j.engine.recurrent.layer;

import io.attention4j.engine.attention.SoftmaxState;
import io.attention4j.engine.recurrent.Gates;
import io.attention4j.engine.recurrent.Rows;
import java.util.Arrays;

/**
 * The "non-approximate" variant of "Deconstructing Attention" (arXiv 2510.11602): a token's score
 * comes from its own query and key, s_j = scale SiLU(q_j)^T k_j, and all later tokens share it, o_i
 * = sum_{j &lt;= i} e^{s_j} v_j / sum_{j &lt;= i} e^{s_j}: the scan of {@link
 * io.attention4j.engine.recurrent.Aaren}. SiLU acts on the query only. State per head: max, sum and
 * weighted sum.
 */
public final class NonApproximateLayer implements SequenceLayer {
  private final AttentionWeights weights;

  /** A layer. */
  public NonApproximateLayer(AttentionWeights weights) {
    this.weights = weights;
  }

  @Override
  public int width() {
    return weights.width();
  }

  @Override
  public SequenceState newState() {
    return new State(weights.heads(), weights.valueDim());
  }

  @Override
  public Rows run(Rows hidden, Rows embeddings, SequenceState state) {
    Rows q = weights.q().apply(hidden).map(Gates::silu);
    Rows k = weights.k().apply(hidden);
    Rows v = weights.v().apply(hidden);
    int keyDim = weights.keyDim();
    int valueDim = weights.valueDim();
    double[] y = new double[hidden.tokens() * v.width()];
    SoftmaxState prefix = new SoftmaxState(valueDim);
    SoftmaxState leaf = new SoftmaxState(valueDim);
    for (int h = 0; h < weights.heads(); h++) {
      ((State) state).read(h, prefix);
      for (int t = 0; t < hidden.tokens(); t++) {
        double score = 0;
        for (int d = h * keyDim; d < (h + 1) * keyDim; d++) {
          score += q.at(t, d) * k.at(t, d);
        }
        int at = t * v.width() + h * valueDim;
        prefix.combine(leaf.set(weights.scale() * score, v.values(), at));
        for (int d = 0; d < valueDim; d++) {
          y[at + d] = prefix.output(d);
        }
      }
      ((State) state).write(h, prefix);
    }
    state.advance(hidden.tokens());
    return weights.o().apply(new Rows(y, v.width()));
  }

  /** Per head the log of the sum and the mean, which are the state (lse, 1, output). */
  private static final class State extends SequenceState {
    State(int heads, int valueDim) {
      super(empty(heads), new double[heads * valueDim]);
    }

    private static double[] empty(int heads) {
      double[] lse = new double[heads];
      Arrays.fill(lse, Double.NEGATIVE_INFINITY);
      return lse;
    }

    void read(int head, SoftmaxState state) {
      state.set(part(0)[head], part(1), head * state.valueDim());
    }

    void write(int head, SoftmaxState state) {
      part(0)[head] = state.lse();
      for (int d = 0; d < state.valueDim(); d++) {
        part(1)[head * state.valueDim() + d] = state.output(d);
      }
    }
  }
}
