package io.attention4j.benchmarks.sparse;

import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.operator.AttentionLayer;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.OperatorContext;
import io.attention4j.engine.operator.Operators;
import io.attention4j.engine.operator.OptionSpec;
import io.attention4j.engine.operator.Truncation;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.kvcache.KvCaches;
import io.attention4j.sparse.SelectionClock;
import java.util.List;
import java.util.Optional;

/** An operator as one layer over {@link LayerData}, as a decoder runs it, cache included. */
final class LayerRun implements AutoCloseable {
  private final LayerData data;
  private final String option;
  private final AttentionLayer layer;
  private LayerState decoding;

  /**
   * Opens the layer.
   *
   * @param option of the operator
   * @param codec of the cache: f32, f16 ...
   * @param causal or bidirectional
   * @throws IllegalArgumentException if the operator refuses the layer
   */
  LayerRun(KernelSelector kernels, LayerData data, String option, String codec, boolean causal) {
    this.data = data;
    this.option = option;
    Operators operators = new Operators();
    LayerShape shape =
        new LayerShape(
            0,
            data.queryHeads(),
            data.kvHeads(),
            data.headDim(),
            data.headDim(),
            (float) (1 / Math.sqrt(data.headDim())),
            causal ? new Mask.Causal() : new Mask.All(),
            List.of(),
            List.of(),
            null,
            data.tokens());
    layer =
        operators
            .create(OptionSpec.parse(option))
            .open(
                shape,
                new OperatorContext(
                    kernels,
                    new KvCaches().create("contiguous+" + codec, kernels),
                    _ -> Optional.empty(),
                    new RandomGates(data.queryHeads(), data.kvHeads(), data.headDim()),
                    operators));
  }

  String option() {
    return option;
  }

  /** Computes all rows in one step of a new sequence; the result is in the data's out. */
  void prefill() {
    try (LayerState state = layer.newState()) {
      layer.attend(new LayerState[] {state}, data.step(0, data.tokens()), data.out());
    }
  }

  /** Computes the last row again, after all others. */
  void decode() {
    int last = data.tokens() - 1;
    if (decoding == null) {
      decoding = layer.newState();
      layer.attend(new LayerState[] {decoding}, data.step(0, last), data.out());
    } else if (decoding.truncateTo(last) instanceof Truncation.Refused refused) {
      throw new IllegalStateException(option + " cannot take a token back: " + refused.reason());
    }
    layer.attend(new LayerState[] {decoding}, data.step(last, 1), data.out());
  }

  /** Seconds of choosing so far, or 0 where the operator does not say. */
  double selectionSeconds() {
    return layer instanceof SelectionClock clock ? clock.selectionNanos() / 1e9 : 0;
  }

  @Override
  public void close() {
    if (decoding != null) {
      decoding.close();
    }
    layer.close();
  }
}
