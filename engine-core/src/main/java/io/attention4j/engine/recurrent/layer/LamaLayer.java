package io.attention4j.engine.recurrent.layer;

import io.attention4j.engine.attention.SoftmaxState;
import io.attention4j.engine.recurrent.Lama;
import io.attention4j.engine.recurrent.Rows;
import java.util.Arrays;

/**
 * {@link Lama} with a learned context as a layer: every prefix of the values pooled per head by
 * scores of x, then an output projection. Heads pool projected values, not x itself [R]. State per
 * head: the log of the sum and the mean.
 */
public final class LamaLayer implements SequenceLayer {
  private final Lama lama;
  private final Projection values;
  private final Projection output;

  /**
   * A layer.
   *
   * @param lama scores, with a learned context
   * @param values [width, heads * valueDim]
   * @param output [heads * valueDim, width]
   */
  public LamaLayer(Lama lama, Projection values, Projection output) {
    boolean fits =
        lama.context() != null
            && values.in() == lama.p().tokens()
            && values.out() % lama.heads() == 0
            && output.in() == values.out()
            && output.out() == values.in();
    if (!fits) {
      throw new IllegalArgumentException(
          "values "
              + values.weight()
              + " and output "
              + output.weight()
              + " do not fit P "
              + lama.p()
              + " with the context "
              + lama.context()
              + ", which must be learned");
    }
    this.lama = lama;
    this.values = values;
    this.output = output;
  }

  @Override
  public int width() {
    return values.in();
  }

  @Override
  public SequenceState newState() {
    double[] lse = new double[lama.heads()];
    Arrays.fill(lse, Double.NEGATIVE_INFINITY);
    return new SequenceState(lse, new double[values.out()]);
  }

  @Override
  public Rows run(Rows hidden, Rows embeddings, SequenceState state) {
    Rows scores = lama.scores(hidden);
    Rows v = values.apply(hidden);
    double[] y = new double[v.values().length];
    int valueDim = values.out() / lama.heads();
    SoftmaxState prefix = new SoftmaxState(valueDim);
    SoftmaxState token = new SoftmaxState(valueDim);
    for (int h = 0; h < lama.heads(); h++) {
      double lse = state.part(0)[h];
      double before = lse == Double.NEGATIVE_INFINITY ? 0 : 1;
      prefix.set(lse, before, state.part(1), h * valueDim);
      for (int t = 0; t < v.tokens(); t++) {
        int at = t * v.width() + h * valueDim;
        prefix.combine(token.set(scores.at(t, h), v.values(), at));
        for (int d = 0; d < valueDim; d++) {
          y[at + d] = prefix.output(d);
        }
      }
      state.part(0)[h] = prefix.lse();
      for (int d = 0; d < valueDim; d++) {
        state.part(1)[h * valueDim + d] = prefix.output(d);
      }
    }
    state.advance(hidden.tokens());
    return output.apply(new Rows(y, v.width()));
  }
}
