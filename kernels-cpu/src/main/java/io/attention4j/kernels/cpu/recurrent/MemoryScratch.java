package io.attention4j.kernels.cpu.recurrent;

import io.attention4j.engine.recurrent.memory.MemoryNetwork;
import io.attention4j.engine.spi.OnlineMemorySpec;
import java.util.Arrays;

/** What one thread needs for a token of a memory. */
final class MemoryScratch {
  final MemoryNetwork network;

  /** What enters each matrix, and the output behind the last. */
  final float[][] in;

  /** What leaves each matrix, before GELU. */
  final float[][] sum;

  /** The derivative of GELU there. */
  final float[][] slope;

  /** The loss's gradient by what leaves each matrix. */
  final float[][] delta;

  final float[] value;
  final float[] retention;
  final float[] step;

  /** A constant row, for gates of one number. */
  final float[] ones;

  MemoryScratch(OnlineMemorySpec spec) {
    network = spec.network();
    int depth = network.depth();
    in = new float[depth + 1][];
    sum = new float[depth][];
    slope = new float[depth][];
    delta = new float[depth][];
    in[0] = new float[network.keyDim()];
    for (int m = 0; m < depth; m++) {
      in[m + 1] = new float[network.rows(m)];
      sum[m] = new float[network.rows(m)];
      slope[m] = new float[network.rows(m)];
      delta[m] = new float[network.rows(m)];
    }
    value = new float[network.valueDim()];
    retention = new float[spec.gateWidth()];
    step = new float[spec.gateWidth()];
    int widest = 0;
    for (int m = 0; m < depth; m++) {
      widest = Math.max(widest, network.columns(m));
    }
    ones = new float[widest];
    Arrays.fill(ones, 1);
  }

  /** Whether it serves a spec; without the iterators by which lists are compared. */
  boolean fits(OnlineMemorySpec spec) {
    MemoryNetwork wanted = spec.network();
    if (wanted.depth() != network.depth()
        || wanted.residual() != network.residual()
        || wanted.keyDim() != network.keyDim()
        || spec.gateWidth() != step.length) {
      return false;
    }
    for (int m = 0; m < network.depth(); m++) {
      if (wanted.rows(m) != network.rows(m)) {
        return false;
      }
    }
    return true;
  }
}
