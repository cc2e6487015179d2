package io.attention4j.benchmarks.peer;

/** Softmax attention in float64 by the formula. */
public final class NaiveAttention {
  private NaiveAttention() {}

  /** Of q, k and v as [heads, length, headDim], with scale 1 / sqrt(headDim). */
  public static double[] compute(
      int heads, int length, int headDim, boolean causal, float[] q, float[] k, float[] v) {
    double[] out = new double[q.length];
    for (int head = 0; head < heads; head++) {
      for (int row = 0; row < length; row++) {
        int first = (head * length + row) * headDim;
        double sum = 0;
        for (int key = 0; key < (causal ? row + 1 : length); key++) {
          int at = (head * length + key) * headDim;
          double score = 0;
          for (int i = 0; i < headDim; i++) {
            score += (double) q[first + i] * k[at + i];
          }
          double weight = Math.exp(score / Math.sqrt(headDim));
          sum += weight;
          for (int i = 0; i < headDim; i++) {
            out[first + i] += weight * v[at + i];
          }
        }
        for (int i = 0; i < headDim; i++) {
          out[first + i] /= sum;
        }
      }
    }
    return out;
  }
}
