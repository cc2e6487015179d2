package io.attention4j.engine.reference;

import io.attention4j.engine.spi.SelectiveScanInputs;
import io.attention4j.engine.spi.SelectiveScanKernel;
import io.attention4j.engine.spi.SelectiveScanSpec;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.tensor.Tensor;

/** One element of a state after the other, in float64; states are rounded between calls only. */
final class ReferenceSelectiveScan implements SelectiveScanKernel {
  @Override
  public Support supports(SelectiveScanSpec spec) {
    return Support.YES;
  }

  @Override
  public void run(
      SelectiveScanSpec spec,
      SelectiveScanInputs in,
      int firstRow,
      int rows,
      Tensor state,
      Tensor out) {
    TensorChecks.requireSelectiveScan(spec, in, firstRow, rows, state, out);
    double[] y = new double[rows];
    for (int h = 0; h < spec.heads(); h++) {
      for (int j = 0; j < spec.channels(); j++) {
        int column = h * spec.channels() + j;
        int width = spec.heads() * spec.channels();
        for (int t = 0; t < rows; t++) {
          double through = in.through() == null ? 0 : at(in.through(), column);
          y[t] = through * at(in.x(), (firstRow + (long) t) * width + column);
        }
        for (int n = 0; n < spec.stateDim(); n++) {
          element(spec, in, firstRow, h, j, n, state, y);
        }
        for (int t = 0; t < rows; t++) {
          long to = (firstRow + (long) t) * width + column;
          out.segment().setAtIndex(Tensor.FLOAT, to, (float) y[t]);
        }
      }
    }
  }

  private static void element(
      SelectiveScanSpec spec,
      SelectiveScanInputs in,
      int firstRow,
      int h,
      int j,
      int n,
      Tensor state,
      double[] y) {
    long element = ((long) h * spec.stateDim() + n) * spec.channels() + j;
    double s = at(state, element);
    double a = in.a() == null ? 0 : at(in.a(), element);
    for (int t = 0; t < y.length; t++) {
      long row = firstRow + (long) t;
      long token = (row * spec.heads() + h) * spec.channels() + j;
      long vector = (row * spec.heads() + h) * spec.stateDim() + n;
      double decay = at(in.decay(), token);
      double factor =
          switch (spec.decay()) {
            case EXPONENTIAL -> Math.exp(decay * a);
            case FACTOR -> decay;
          };
      double b = in.b() == null ? 1 : at(in.b(), vector);
      double c = in.c() == null ? 1 : at(in.c(), vector);
      s = factor * s + b * at(in.write(), token) * at(in.x(), token);
      y[t] += c * s;
    }
    state.segment().setAtIndex(Tensor.FLOAT, element, (float) s);
  }

  private static double at(Tensor tensor, long index) {
    return tensor.segment().getAtIndex(Tensor.FLOAT, index);
  }
}
