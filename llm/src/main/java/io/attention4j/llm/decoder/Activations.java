package io.attention4j.llm.decoder;

import io.attention4j.engine.spi.Device;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.architecture.ModelConfig;
import java.util.ArrayList;
import java.util.List;

/** Tensors of a step in flight, all F32 on the device, reused from layer to layer. */
final class Activations {
  private static final long MAX_LOGITS = 4L << 20;
  private static final int MAX_LOGIT_ROWS = 32;

  /** [rows, modelDim], the running sum that every branch adds to. */
  final Tensor residual;

  /** [rows, modelDim], input of a branch. */
  final Tensor normed;

  /** [rows, modelDim], result of a branch that is changed before it joins the residual. */
  final Tensor branch;

  /** [rows, queryHeads, headDim]. */
  final Tensor q;

  /** [rows, kvHeads, headDim]. */
  final Tensor k;

  /** [rows, kvHeads, valueDim]. */
  final Tensor v;

  /** [rows, queryHeads, valueDim]. */
  final Tensor attended;

  /** [rows, feedForwardDim]; goes through the activation, in place. */
  final Tensor gate;

  /** [rows, feedForwardDim]. */
  final Tensor up;

  /** [outputRows, modelDim], the rows whose result is wanted. */
  final Tensor selected;

  /** [outputRows, vocabulary]. */
  final Tensor logits;

  private final int maxRows;
  private final int outputRows;

  Activations(ModelConfig config, int maxRows, boolean outputs, Device.TensorArena arena) {
    this.maxRows = maxRows;
    this.outputRows = outputs ? outputRows(config.sizes().vocabulary(), maxRows) : 0;
    List<Tensor> all = new ArrayList<>();
    for (long[] shape : shapes(config, maxRows, outputRows)) {
      all.add(arena.allocate(DType.F32, shape));
    }
    residual = all.get(0);
    normed = all.get(1);
    branch = all.get(2);
    q = all.get(3);
    k = all.get(4);
    v = all.get(5);
    attended = all.get(6);
    gate = all.get(7);
    up = all.get(8);
    selected = all.get(9);
    logits = all.get(10);
  }

  private static List<long[]> shapes(ModelConfig config, int rows, int outputRows) {
    ModelConfig.Sizes s = config.sizes();
    boolean extraBranch = config.norms().afterBranches() || config.embedding().learnedPositions();
    return List.of(
        new long[] {rows, s.modelDim()},
        new long[] {rows, s.modelDim()},
        new long[] {extraBranch ? rows : 0, s.modelDim()},
        new long[] {rows, s.queryHeads(), s.headDim()},
        new long[] {rows, s.kvHeads(), s.headDim()},
        new long[] {rows, s.kvHeads(), s.valueDim()},
        new long[] {rows, s.queryHeads(), s.valueDim()},
        new long[] {config.feedForward().gated() ? rows : 0, s.feedForwardDim()},
        new long[] {rows, s.feedForwardDim()},
        new long[] {outputRows, s.modelDim()},
        new long[] {outputRows, s.vocabulary()});
  }

  /** Bytes of all tensors, outputs included, for steps of this many rows. */
  static long bytes(ModelConfig config, int maxRows) {
    long elements = 0;
    int outputRows = outputRows(config.sizes().vocabulary(), maxRows);
    for (long[] shape : shapes(config, maxRows, outputRows)) {
      long product = 1;
      for (long extent : shape) {
        product *= extent;
      }
      elements += product;
    }
    return elements * Float.BYTES;
  }

  private static int outputRows(int vocabulary, int maxRows) {
    long rows = Math.clamp(MAX_LOGITS / vocabulary, 1, MAX_LOGIT_ROWS);
    return (int) Math.min(rows, maxRows);
  }

  /** Most rows of a step. */
  int maxRows() {
    return maxRows;
  }

  /** Rows whose logits are computed at a time. */
  int outputRows() {
    return outputRows;
  }

  /** A [rows, heads, dim] tensor as [rows, heads * dim]. */
  static Tensor flat(Tensor heads) {
    return heads.reshape(heads.extent(0), heads.extent(1) * heads.extent(2));
  }

  /** A [rows, heads, dim] tensor as [rows * heads, dim]. */
  static Tensor perHead(Tensor heads) {
    return heads.reshape(heads.extent(0) * heads.extent(1), heads.extent(2));
  }
}
