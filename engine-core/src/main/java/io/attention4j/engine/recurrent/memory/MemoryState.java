package io.attention4j.engine.recurrent.memory;

import java.util.List;

/**
 * What a memory of one head knows, of constant size. Mutable, not thread-safe.
 *
 * <p>A chunk that is not over is part of it: gradients are taken at the weights of the chunk's
 * start, wherever a sequence is cut into calls.
 */
public final class MemoryState {
  final double[] weights;
  final double[] trace;
  final double[] anchor;
  final double[] anchorTrace;
  int inChunk;

  /** Every array is one number per weight of the network. */
  MemoryState(double[] weights, double[] trace) {
    this.weights = weights;
    this.trace = trace;
    this.anchor = weights.clone();
    this.anchorTrace = trace.clone();
  }

  /** The memory's weights, each matrix [out, in], W_1 first; a copy. */
  public double[] weights() {
    return weights.clone();
  }

  /**
   * What the update carries besides the weights; a copy. Titans: the momentum S. Moneta: A, whose
   * image the weights are. Memora: the weights' logarithms. Yaad: the weights themselves.
   */
  public double[] trace() {
    return trace.clone();
  }

  /** Tokens since the chunk's start, 0..chunk - 1. */
  public int inChunk() {
    return inChunk;
  }

  /**
   * The arrays that are the state beside {@link #inChunk}, for copying and saving: weights, trace
   * and both at the chunk's start. Not copied.
   */
  public List<double[]> arrays() {
    return List.of(weights, trace, anchor, anchorTrace);
  }

  /** Sets the place in the chunk when {@link #arrays} were replaced. */
  public void inChunk(int tokens) {
    inChunk = tokens;
  }

  void startChunk() {
    System.arraycopy(weights, 0, anchor, 0, weights.length);
    System.arraycopy(trace, 0, anchorTrace, 0, trace.length);
  }
}
