package io.attention4j.engine.recurrent.operator;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.operator.AttentionLayer;
import io.attention4j.engine.operator.AttentionOperator;
import io.attention4j.engine.operator.LayerInputs;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.Needs;
import io.attention4j.engine.operator.OperatorContext;
import io.attention4j.engine.recurrent.Rows;
import io.attention4j.engine.recurrent.layer.LayerWeights;
import io.attention4j.engine.recurrent.layer.SequenceLayer;
import io.attention4j.engine.tensor.Tensor;
import java.util.Set;

/**
 * A {@link SequenceLayer} in the place of attention: it reads the normalised hidden state and not
 * the model's q, k and v, has weights of its own, and the model's output projection follows.
 * Computed in float64 by plain loops, which allocate: the meaning, not the speed.
 *
 * @param id name in options
 * @param weights where its weights come from
 * @param factory makes the layer
 * @param embeddings whether it reads the stack's embeddings
 */
record SequenceOperator(String id, OperatorWeights weights, Factory factory, boolean embeddings)
    implements AttentionOperator {
  /** Makes a layer of a width. */
  @FunctionalInterface
  interface Factory {
    SequenceLayer layer(LayerShape shape, LayerWeights weights);
  }

  @Override
  public Needs needs() {
    return new Needs(
        embeddings ? Set.of(Needs.EMBEDDINGS) : Set.of(), Set.of(), Set.of(Needs.Direction.CAUSAL));
  }

  @Override
  public AttentionLayer open(LayerShape shape, OperatorContext context) {
    requireWidth(id, shape);
    return new Layer(id, factory.layer(shape, weights.open(shape, context)));
  }

  /** Refuses models that attend with another number of elements than a hidden state has. */
  static void requireWidth(String id, LayerShape shape) {
    int attended = shape.queryHeads() * shape.valueDim();
    if (attended != shape.modelDim()) {
      throw new IllegalArgumentException(
          "attention '"
              + id
              + "' maps hidden states of "
              + shape.modelDim()
              + " elements to as many, but layer "
              + shape.layer()
              + " of this model attends with "
              + attended
              + "; choose an operator on q, k and v, such as gdn or retnet");
    }
  }

  private record Layer(String id, SequenceLayer layer) implements AttentionLayer {
    @Override
    public LayerState newState() {
      return new SequenceLayerState(id, layer);
    }

    @Override
    public void attend(LayerState[] states, LayerInputs in, Tensor out) {
      AttentionBatch batch = in.batch();
      for (int s = 0; s < batch.sequences(); s++) {
        OperatorWeights.store(run((SequenceLayerState) states[s], in, s), out, batch.firstRow(s));
      }
    }

    @Override
    public void append(LayerState[] states, LayerInputs in) {
      for (int s = 0; s < in.batch().sequences(); s++) {
        run((SequenceLayerState) states[s], in, s);
      }
    }

    private Rows run(SequenceLayerState state, LayerInputs in, int s) {
      int first = in.batch().firstRow(s);
      int count = in.batch().rows(s);
      Rows hidden = OperatorWeights.rows(in.hidden(), first, count);
      Tensor embeddings = in.extra(Needs.EMBEDDINGS);
      return layer.run(
          hidden,
          embeddings == null ? hidden : OperatorWeights.rows(embeddings, first, count),
          state.sequence());
    }

    @Override
    public void close() {}
  }
}
