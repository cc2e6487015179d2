package io.attention4j.llm.decoder;

import io.attention4j.engine.operator.AttentionLayer;
import io.attention4j.engine.operator.LayerInputs;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.RopeTable;
import io.attention4j.engine.spi.ActivationKernel;
import io.attention4j.engine.spi.ElementwiseKernel;
import io.attention4j.engine.tensor.Tensor;

/**
 * One layer: attention, then feed-forward, each normalised before and added to the residual. What
 * an architecture lacks is null.
 */
final class TransformerBlock implements Block {
  /** Weights and kernels of the attention branch. */
  record AttentionBranch(
      Norm norm,
      Linear queryKeyValue,
      Norm queryNorm,
      Norm keyNorm,
      AttentionLayer layer,
      RopeTable rope,
      Linear output,
      Norm postNorm) {}

  /** Weights and kernels of the feed-forward branch. */
  record FeedForwardBranch(
      Norm norm,
      Linear gateUp,
      ActivationKernel activation,
      ActivationKernel.Function function,
      Linear down,
      Norm postNorm) {}

  private final AttentionBranch attention;
  private final FeedForwardBranch feedForward;
  private final ElementwiseKernel elementwise;
  private final Activations a;
  private final Tensor queryHeads;
  private final Tensor keyHeads;
  private final Tensor attendedRows;

  TransformerBlock(
      AttentionBranch attention,
      FeedForwardBranch feedForward,
      ElementwiseKernel elementwise,
      Activations activations) {
    this.attention = attention;
    this.feedForward = feedForward;
    this.elementwise = elementwise;
    this.a = activations;
    this.queryHeads = Activations.perHead(activations.q);
    this.keyHeads = Activations.perHead(activations.k);
    this.attendedRows = Activations.flat(activations.attended);
  }

  @Override
  public LayerState newState() {
    return attention.layer().newState();
  }

  @Override
  public void run(int rows, LayerState[] states, LayerInputs inputs) {
    attend(rows, states, inputs);
    feedForward(rows);
  }

  private void attend(int rows, LayerState[] states, LayerInputs inputs) {
    attention.norm().run(a.residual, rows, a.normed);
    attention.queryKeyValue().run(a.normed, rows);
    if (attention.queryNorm() != null) {
      attention.queryNorm().run(queryHeads, rows * (int) a.q.extent(1), queryHeads);
      attention.keyNorm().run(keyHeads, rows * (int) a.k.extent(1), keyHeads);
    }
    inputs.layer(a.normed, a.q, a.k, a.v, attention.rope());
    attention.layer().attend(states, inputs, a.attended);
    addBranch(attention.output(), attendedRows, attention.postNorm(), rows);
  }

  private void feedForward(int rows) {
    feedForward.norm().run(a.residual, rows, a.normed);
    feedForward.gateUp().run(a.normed, rows);
    boolean gated = a.gate.extent(0) > 0;
    Tensor x = gated ? a.gate : a.up;
    long elements = rows * a.up.extent(1);
    feedForward.activation().run(feedForward.function(), x, gated ? a.up : null, x, elements);
    addBranch(feedForward.down(), x, feedForward.postNorm(), rows);
  }

  /** residual += [norm](x W^T). */
  private void addBranch(Linear linear, Tensor x, Norm postNorm, int rows) {
    if (postNorm == null) {
      linear.addTo(x, rows);
      return;
    }
    linear.run(x, rows);
    postNorm.run(a.branch, rows, a.branch);
    elementwise.run(
        ElementwiseKernel.Operation.ADD, a.residual, a.branch, 0, rows * a.residual.extent(1));
  }

  @Override
  public long weightBytes() {
    return attention.queryKeyValue().weightBytes()
        + attention.output().weightBytes()
        + feedForward.gateUp().weightBytes()
        + feedForward.down().weightBytes();
  }

  @Override
  public void close() {
    attention.layer().close();
    attention.queryKeyValue().close();
    attention.output().close();
    feedForward.gateUp().close();
    feedForward.down().close();
  }
}
