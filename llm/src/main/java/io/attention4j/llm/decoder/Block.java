package io.attention4j.llm.decoder;

import io.attention4j.engine.operator.LayerInputs;
import io.attention4j.engine.operator.LayerState;

/** One layer of the decoder, shared by all sequences. */
interface Block extends AutoCloseable {
  /** The state of a new, empty sequence; the caller closes it. */
  LayerState newState();

  /**
   * Runs the layer over the first rows of the residual, which it adds to.
   *
   * @param states this layer's, one per sequence of the batch
   * @param inputs has the batch; the layer sets the rest for its operator
   */
  void run(int rows, LayerState[] states, LayerInputs inputs);

  /** Bytes of matrices read for one row. */
  long weightBytes();

  @Override
  void close();
}
