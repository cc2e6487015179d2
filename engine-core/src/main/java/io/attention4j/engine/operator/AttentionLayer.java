package io.attention4j.engine.operator;

import io.attention4j.engine.tensor.Tensor;

/**
 * An operator bound to one layer of a model, shared by all sessions. One thread at a time calls
 * {@link #attend} and {@link #append} (the forward pass).
 *
 * <p>The layer, not the state, does the work because several sequences step together: one call
 * covers all of them.
 */
public interface AttentionLayer extends AutoCloseable {
  /** The state of a new, empty sequence; the caller closes it. */
  LayerState newState();

  /**
   * Appends the step's tokens to the states and computes their outputs; n &gt;= 1 rows per
   * sequence, so prefill and decode are one call.
   *
   * @param states one per sequence of the batch, all of this layer, all distinct
   * @param out F32 [&gt;= rows, queryHeads, valueDim], contiguous; must not overlap the inputs
   */
  void attend(LayerState[] states, LayerInputs in, Tensor out);

  /** Appends keys and values and computes nothing (cross-attention, encoders). */
  void append(LayerState[] states, LayerInputs in);

  @Override
  void close();
}
