package io.attention4j.engine.recurrent.memory;

import io.attention4j.engine.recurrent.Gates;
import java.util.Arrays;
import java.util.List;

/**
 * The function that a memory is: a few matrices with GELU between them, M(x) = W_L gelu( ... W_1
 * x), and optionally a residual and a normalisation around it, x + LN(M(x)). Its weights are not
 * here: they are the state, one array of all matrices, each [out, in] row-major, W_1 first.
 *
 * @param widths elements of the input, of each hidden layer and of the output
 * @param residual whether it is x + LN(M(x)), LN without parameters; then input and output are
 *     equally wide
 */
public record MemoryNetwork(List<Integer> widths, boolean residual) {
  /** Added to the variance in LN. */
  public static final double EPSILON = 1e-5;

  /** Checks that the widths make a network. */
  public MemoryNetwork {
    widths = List.copyOf(widths);
    if (widths.size() < 2 || widths.stream().anyMatch(width -> width < 1)) {
      throw new IllegalArgumentException(
          "a memory of widths "
              + widths
              + " is no network; it needs an input and an output, each at least 1 wide");
    }
    if (residual && !widths.getFirst().equals(widths.getLast())) {
      throw new IllegalArgumentException(
          "a residual memory adds its input to its output, so the widths "
              + widths
              + " must end as they begin");
    }
  }

  /** M(x) = W x. */
  public static MemoryNetwork linear(int keyDim, int valueDim) {
    return new MemoryNetwork(List.of(keyDim, valueDim), false);
  }

  /**
   * A network from dim to dim.
   *
   * @param depth matrices, at least 1; Titans has 1 to 4
   * @param expansion hidden elements per element of dim, at least 1; 4 in Miras
   */
  public static MemoryNetwork mlp(int dim, int depth, int expansion, boolean residual) {
    if (depth < 1 || expansion < 1) {
      throw new IllegalArgumentException(
          "depth " + depth + " and expansion " + expansion + " of a memory must be at least 1");
    }
    Integer[] widths = new Integer[depth + 1];
    Arrays.fill(widths, Math.multiplyExact(dim, expansion));
    widths[0] = dim;
    widths[depth] = dim;
    return new MemoryNetwork(List.of(widths), residual);
  }

  /** Elements of a key. */
  public int keyDim() {
    return widths.getFirst();
  }

  /** Elements of a value. */
  public int valueDim() {
    return widths.getLast();
  }

  /** Number of matrices. */
  public int depth() {
    return widths.size() - 1;
  }

  /** Number of weights. */
  public int parameters() {
    return offset(depth());
  }

  /** Rows of a matrix, from 0. */
  public int rows(int matrix) {
    return widths.get(matrix + 1);
  }

  /** Columns of a matrix, from 0. */
  public int columns(int matrix) {
    return widths.get(matrix);
  }

  /** Where a matrix starts among the weights. */
  public int offset(int matrix) {
    int offset = 0;
    for (int m = 0; m < matrix; m++) {
      offset = Math.addExact(offset, Math.multiplyExact(rows(m), columns(m)));
    }
    return offset;
  }

  /** M(x), [valueDim]. */
  double[] read(double[] weights, double[] x) {
    double[][] before = forward(weights, x);
    double[] y = before[depth()].clone();
    if (residual) {
      normalize(y);
      for (int i = 0; i < y.length; i++) {
        y[i] += x[i];
      }
    }
    return y;
  }

  /** What enters each GELU, after x itself: x, W_1 x, W_2 gelu(W_1 x) ... */
  private double[][] forward(double[] weights, double[] x) {
    double[][] before = new double[depth() + 1][];
    before[0] = x;
    double[] in = x;
    for (int m = 0; m < depth(); m++) {
      double[] out = new double[rows(m)];
      int at = offset(m);
      for (int r = 0; r < out.length; r++) {
        for (double value : in) {
          out[r] += weights[at++] * value;
        }
      }
      before[m + 1] = out;
      in = m + 1 < depth() ? Arrays.stream(out).map(Gates::gelu).toArray() : out;
    }
    return before;
  }

  /** The gradient of error^T M(x) by the weights, [parameters]; the error counts as constant. */
  double[] gradient(double[] weights, double[] x, double[] error) {
    double[][] before = forward(weights, x);
    double[] gradient = new double[parameters()];
    double[] delta = residual ? throughNorm(before[depth()], error) : error;
    for (int m = depth() - 1; m >= 0; m--) {
      double[] in = m == 0 ? x : Arrays.stream(before[m]).map(Gates::gelu).toArray();
      double[] back = new double[in.length];
      int at = offset(m);
      for (double d : delta) {
        for (int c = 0; c < in.length; c++, at++) {
          gradient[at] = d * in[c];
          back[c] += d * weights[at];
        }
      }
      for (int c = 0; m > 0 && c < back.length; c++) {
        back[c] *= Gates.geluSlope(before[m][c]);
      }
      delta = back;
    }
    return gradient;
  }

  /** Makes x its LN; returns what it was divided by. */
  private static double normalize(double[] x) {
    double mean = Arrays.stream(x).sum() / x.length;
    double squares = 0;
    for (double value : x) {
      squares += (value - mean) * (value - mean);
    }
    double deviation = Math.sqrt(squares / x.length + EPSILON);
    for (int i = 0; i < x.length; i++) {
      x[i] = (x[i] - mean) / deviation;
    }
    return deviation;
  }

  /** The error behind LN as the error before it: (e - mean(e) - n mean(n e)) / deviation. */
  private static double[] throughNorm(double[] x, double[] error) {
    double[] normal = x.clone();
    double deviation = normalize(normal);
    double mean = 0;
    double along = 0;
    for (int i = 0; i < error.length; i++) {
      mean += error[i] / error.length;
      along += error[i] * normal[i] / error.length;
    }
    double[] delta = new double[error.length];
    for (int i = 0; i < delta.length; i++) {
      delta[i] = (error[i] - mean - normal[i] * along) / deviation;
    }
    return delta;
  }
}
