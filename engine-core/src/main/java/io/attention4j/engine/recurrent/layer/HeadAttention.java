package io.attention4j.engine.recurrent.layer;

import io.attention4j.engine.attention.SoftmaxState;
import io.attention4j.engine.recurrent.Rows;

/** Softmax attention of several heads over rows, by the rule that merges and recurs. */
final class HeadAttention {
  private HeadAttention() {}

  /**
   * Attends; a row that sees nothing is 0.
   *
   * @param q [rows, heads * keyDim]
   * @param k [keys, heads * keyDim]
   * @param v [keys, heads * valueDim]
   * @return [rows, heads * valueDim]
   */
  static Rows softmax(Rows q, Rows k, Rows v, int heads, double scale, Visible visible) {
    int keyDim = q.width() / heads;
    int valueDim = v.width() / heads;
    double[] y = new double[q.tokens() * v.width()];
    SoftmaxState state = new SoftmaxState(valueDim);
    SoftmaxState leaf = new SoftmaxState(valueDim);
    for (int i = 0; i < q.tokens(); i++) {
      for (int h = 0; h < heads; h++) {
        state.clear();
        for (int j = 0; j < k.tokens(); j++) {
          if (visible.sees(i, j)) {
            double score = 0;
            for (int d = h * keyDim; d < (h + 1) * keyDim; d++) {
              score += q.at(i, d) * k.at(j, d);
            }
            state.combine(leaf.set(scale * score, v.values(), j * v.width() + h * valueDim));
          }
        }
        for (int d = 0; d < valueDim; d++) {
          y[i * v.width() + h * valueDim + d] = state.output(d);
        }
      }
    }
    return new Rows(y, v.width());
  }
}
