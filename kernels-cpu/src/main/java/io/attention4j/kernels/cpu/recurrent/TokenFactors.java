package io.attention4j.kernels.cpu.recurrent;

import io.attention4j.engine.spi.LinearScanSpec;
import io.attention4j.engine.tensor.Tensor;
import java.util.Arrays;

/**
 * What one token does to the state of one head:
 *
 * <pre>
 * z = recall^T S            (not for ADD)
 * S = decay * S + k u^T + write z^T
 * </pre>
 *
 * <p>with u = v for ADD and LOW_RANK, and u = beta (v - z) without a write for DELTA, whose recall
 * is decay * k because it reads the decayed state. Arrays are scratch of one thread, reused.
 */
public final class TokenFactors {
  private final LinearScanSpec spec;
  private final float[] decay;
  private final float[] k;
  private final float[] v;
  private final float[] recall;
  private final float[] write;
  private final float[] recalled;
  private final float[] q;
  private float beta;

  /** Scratch for one spec. */
  public TokenFactors(LinearScanSpec spec) {
    this.spec = spec;
    decay = new float[spec.keyDim()];
    k = new float[spec.keyDim()];
    v = new float[spec.valueDim()];
    recall = new float[spec.keyDim()];
    write = new float[spec.keyDim()];
    recalled = new float[spec.valueDim()];
    q = new float[Math.multiplyExact(spec.groupSize(), spec.keyDim())];
    Arrays.fill(decay, 1);
  }

  /** What it was made for. */
  public LinearScanSpec spec() {
    return spec;
  }

  /**
   * Reads a token.
   *
   * @param exp e^x of the first elements of an array, in place
   */
  public void load(ScanCall call, int token, int head, InPlace exp) {
    call.k().copy(token, head, k, 0);
    call.v().copy(token, head, v, 0);
    switch (spec.decay()) {
      case NONE -> {}
      case HEAD -> {
        long at = call.decay().at(token, head);
        float factor = (float) Math.exp(call.decay().memory().get(Tensor.FLOAT, at));
        Arrays.fill(decay, factor);
      }
      case KEY -> {
        call.decay().copy(token, head, decay, 0);
        exp.apply(decay);
      }
    }
    switch (spec.write()) {
      case ADD -> {}
      case DELTA -> {
        beta = call.beta().memory().get(Tensor.FLOAT, call.beta().at(token, head));
        for (int i = 0; i < recall.length; i++) {
          recall[i] = decay[i] * k[i];
        }
      }
      case LOW_RANK -> {
        call.read().copy(token, head, recall, 0);
        call.write().copy(token, head, write, 0);
      }
    }
    for (int g = 0; g < spec.groupSize(); g++) {
      call.q().copy(token, head * spec.groupSize() + g, q, g * spec.keyDim());
    }
    for (int i = 0; i < q.length; i++) {
      q[i] *= spec.scale();
    }
  }

  /** A function applied to every element of an array. */
  @FunctionalInterface
  public interface InPlace {
    /** Replaces every element. */
    void apply(float[] values);
  }

  /** Factors of the state's rows, [keyDim]. */
  public float[] decay() {
    return decay;
  }

  /** Key, [keyDim]. */
  public float[] k() {
    return k;
  }

  /** Value, [valueDim]. */
  public float[] v() {
    return v;
  }

  /** What is recalled with, [keyDim]. */
  public float[] recall() {
    return recall;
  }

  /** Where what was recalled is written, [keyDim]; zeros but for LOW_RANK. */
  public float[] write() {
    return write;
  }

  /** Room for z, [valueDim]. */
  public float[] recalled() {
    return recalled;
  }

  /** Scaled queries of the group, [groupSize, keyDim]. */
  public float[] q() {
    return q;
  }

  /** Write strength. */
  public float beta() {
    return beta;
  }
}
