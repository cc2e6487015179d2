package io.attention4j.engine.operator;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.tensor.Tensor;
import java.util.HashMap;
import java.util.Map;

/**
 * What a decoder hands to an attention layer in one step. Reused from layer to layer; an operator
 * may overwrite q, k and v (it rotates them in place).
 */
public final class LayerInputs {
  private final Map<String, Tensor> extras = new HashMap<>();
  private AttentionBatch batch;
  private Tensor hidden;
  private Tensor q;
  private Tensor k;
  private Tensor v;
  private RopeTable rope;

  /** Empty inputs. */
  public LayerInputs() {}

  /** Sets what a step fixes: the sequences' rows and positions. */
  public void batch(AttentionBatch stepBatch) {
    batch = stepBatch;
  }

  /** Sets the layer's tensors. */
  public void layer(
      Tensor hiddenState, Tensor queries, Tensor keys, Tensor values, RopeTable angles) {
    hidden = hiddenState;
    q = queries;
    k = keys;
    v = values;
    rope = angles;
  }

  /** Sets a named extra. */
  public void extra(String name, Tensor tensor) {
    extras.put(name, tensor);
  }

  /** Sequences, rows and positions of the step. */
  public AttentionBatch batch() {
    return batch;
  }

  /** Normalised hidden state, F32 [&gt;= rows, modelDim]. */
  public Tensor hidden() {
    return hidden;
  }

  /** Queries before rotation, F32 [&gt;= rows, queryHeads, headDim]. */
  public Tensor q() {
    return q;
  }

  /** Keys before rotation, F32 [&gt;= rows, kvHeads, headDim]. */
  public Tensor k() {
    return k;
  }

  /** Values, F32 [&gt;= rows, kvHeads, valueDim]. */
  public Tensor v() {
    return v;
  }

  /** Angles of the rows, or null where the layer does not rotate. */
  public RopeTable rope() {
    return rope;
  }

  /** A named extra such as a gate, or null. */
  public Tensor extra(String name) {
    return extras.get(name);
  }
}
