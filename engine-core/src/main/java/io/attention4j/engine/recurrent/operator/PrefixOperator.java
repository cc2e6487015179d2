package io.attention4j.engine.recurrent.operator;

import io.attention4j.engine.attention.SoftmaxState;
import io.attention4j.engine.operator.AttentionLayer;
import io.attention4j.engine.operator.AttentionOperator;
import io.attention4j.engine.operator.LayerInputs;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.Needs;
import io.attention4j.engine.operator.OperatorContext;
import io.attention4j.engine.operator.RecurrentState;
import io.attention4j.engine.recurrent.Gates;
import io.attention4j.engine.recurrent.Lama;
import io.attention4j.engine.recurrent.Rows;
import io.attention4j.engine.recurrent.layer.LayerWeights;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.tensor.Shape;
import io.attention4j.engine.tensor.Tensor;
import java.util.Set;

/**
 * Softmax over every prefix where a token's score does not depend on who asks: a recurrence of
 * constant state (m, u, w) per query head by {@link SoftmaxState}, the scan of {@link
 * io.attention4j.engine.recurrent.Aaren}. Values are the model's; what differs is the score.
 *
 * @param id name in options
 * @param weights where the scores' weights come from
 * @param kind which score
 */
record PrefixOperator(String id, OperatorWeights weights, Kind kind) implements AttentionOperator {
  /** Scores. */
  enum Kind {
    /** scale q_h^T k_j, one learned query per head, weight "query" [queryHeads, headDim]. */
    AAREN,
    /** scale SiLU(q_j)^T k_j, of the token's own query; no weights. */
    NON_APPROXIMATE,
    /**
     * {@link Lama}'s tanh((P^T c)_h (Q^T x_j)_h), of unit norm over heads, with a learned context;
     * weights "P" and "Q" [modelDim, queryHeads], "context" [1, modelDim]. Heads pool the model's
     * values, not x itself [R].
     */
    LAMA
  }

  private static final int MAXIMA = 0;
  private static final int SUMS = 1;
  private static final int WEIGHTED = 2;

  /** Scores of some rows, [rows, queryHeads]. */
  private interface Scores {
    Rows of(LayerInputs in, int first, int count);
  }

  @Override
  public Needs needs() {
    return new Needs(Set.of(), Set.of(), Set.of(Needs.Direction.CAUSAL));
  }

  @Override
  public AttentionLayer open(LayerShape shape, OperatorContext context) {
    return new Layer(id, shape, context.kernels().device(), scores(shape, context));
  }

  private Scores scores(LayerShape shape, OperatorContext context) {
    LayerWeights own = weights.open(shape, context);
    return switch (kind) {
      case AAREN -> {
        Rows query = own.rows("query", shape.queryHeads(), shape.headDim());
        yield (in, first, count) -> products(shape, query, true, in, first, count);
      }
      case NON_APPROXIMATE ->
          (in, first, count) -> {
            Rows q = OperatorWeights.rows(in.q(), first, count).map(Gates::silu);
            return products(shape, q, false, in, first, count);
          };
      case LAMA -> {
        Lama lama =
            new Lama(
                own.rows("P", shape.modelDim(), shape.queryHeads()),
                own.rows("Q", shape.modelDim(), shape.queryHeads()),
                own.rows("context", 1, shape.modelDim()),
                shape.queryHeads() > 1);
        yield (in, first, count) -> lama.scores(OperatorWeights.rows(in.hidden(), first, count));
      }
    };
  }

  /** scale q^T k, with one row of queries for all tokens, [queryHeads, headDim], or one each. */
  private static Rows products(
      LayerShape shape, Rows q, boolean shared, LayerInputs in, int first, int count) {
    Rows k = OperatorWeights.rows(in.k(), first, count);
    int heads = shape.queryHeads();
    int dim = shape.headDim();
    double[] scores = new double[count * heads];
    for (int t = 0; t < count; t++) {
      for (int h = 0; h < heads; h++) {
        int key = h / (heads / shape.kvHeads()) * dim;
        int query = ((shared ? 0 : t * heads) + h) * dim;
        double sum = 0;
        for (int d = 0; d < dim; d++) {
          sum += q.values()[query + d] * k.at(t, key + d);
        }
        scores[t * heads + h] = shape.scale() * sum;
      }
    }
    return new Rows(scores, heads);
  }

  private record Layer(String id, LayerShape shape, Device device, Scores scores)
      implements AttentionLayer {
    @Override
    public LayerState newState() {
      int heads = shape.queryHeads();
      return new RecurrentState(
          id, device, Shape.of(heads), Shape.of(heads), Shape.of(heads, shape.valueDim()));
    }

    @Override
    public void attend(LayerState[] states, LayerInputs in, Tensor out) {
      for (int s = 0; s < in.batch().sequences(); s++) {
        Rows y = run((RecurrentState) states[s], in, s);
        OperatorWeights.store(y, out, in.batch().firstRow(s));
      }
    }

    @Override
    public void append(LayerState[] states, LayerInputs in) {
      for (int s = 0; s < in.batch().sequences(); s++) {
        run((RecurrentState) states[s], in, s);
      }
    }

    private Rows run(RecurrentState state, LayerInputs in, int s) {
      int first = in.batch().firstRow(s);
      int count = in.batch().rows(s);
      int heads = shape.queryHeads();
      int dim = shape.valueDim();
      Rows score = scores.of(in, first, count);
      Rows v = OperatorWeights.rows(in.v(), first, count);
      Rows y = new Rows(new double[count * heads * dim], heads * dim);
      Rows maxima = OperatorWeights.rows(state.tensor(MAXIMA), 0, heads);
      Rows sums = OperatorWeights.rows(state.tensor(SUMS), 0, heads);
      Rows weighted = OperatorWeights.rows(state.tensor(WEIGHTED), 0, heads);
      SoftmaxState prefix = new SoftmaxState(dim);
      SoftmaxState token = new SoftmaxState(dim);
      for (int h = 0; h < heads; h++) {
        int value = h / (heads / shape.kvHeads()) * dim;
        prefix.set(maxima.at(h, 0), sums.at(h, 0), weighted.values(), h * dim);
        for (int t = 0; t < count; t++) {
          prefix.combine(token.set(score.at(t, h), v.values(), t * v.width() + value));
          for (int d = 0; d < dim; d++) {
            y.values()[(t * heads + h) * dim + d] = prefix.output(d);
          }
        }
        maxima.values()[h] = prefix.sum() == 0 ? 0 : prefix.max();
        sums.values()[h] = prefix.sum();
        prefix.weighted(weighted.values(), h * dim);
      }
      OperatorWeights.store(maxima, state.tensor(MAXIMA), 0);
      OperatorWeights.store(sums, state.tensor(SUMS), 0);
      OperatorWeights.store(weighted, state.tensor(WEIGHTED), 0);
      state.advance(count);
      return y;
    }

    @Override
    public void close() {}
  }
}
