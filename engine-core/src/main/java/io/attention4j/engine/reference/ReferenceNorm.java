package io.attention4j.engine.reference;

import io.attention4j.engine.spi.NormKernel;
import io.attention4j.engine.spi.NormSpec;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/**
 * y_i = (x_i - m) / sqrt(mean((x - m)^2) + epsilon) * (weight_i + weightOffset) + bias_i with m = 0
 * (RMS) or the mean of x (layer norm).
 */
final class ReferenceNorm implements NormKernel {
  @Override
  public Support supports(NormSpec spec) {
    return Support.YES;
  }

  @Override
  public void run(NormSpec spec, Tensor x, int rows, Tensor weight, Tensor bias, Tensor out) {
    int size = spec.size();
    TensorChecks.requireRows("x", x, rows, size);
    TensorChecks.requireRows("out", out, rows, size);
    TensorChecks.requireVectorOrNull("weight", weight, size);
    TensorChecks.requireVectorOrNull("bias", bias, size);
    MemorySegment in = x.segment();
    MemorySegment result = out.segment();
    for (int row = 0; row < rows; row++) {
      long first = (long) row * size;
      double center = 0;
      if (spec.kind() == NormSpec.Kind.LAYER) {
        for (int i = 0; i < size; i++) {
          center += in.getAtIndex(Tensor.FLOAT, first + i);
        }
        center /= size;
      }
      double squares = 0;
      for (int i = 0; i < size; i++) {
        double distance = in.getAtIndex(Tensor.FLOAT, first + i) - center;
        squares += distance * distance;
      }
      double inverse = 1 / Math.sqrt(squares / size + spec.epsilon());
      for (int i = 0; i < size; i++) {
        double y = (in.getAtIndex(Tensor.FLOAT, first + i) - center) * inverse;
        double w = weight == null ? 1 : weight.segment().getAtIndex(Tensor.FLOAT, i);
        double b = bias == null ? 0 : bias.segment().getAtIndex(Tensor.FLOAT, i);
        result.setAtIndex(Tensor.FLOAT, first + i, (float) (y * (w + spec.weightOffset()) + b));
      }
    }
  }
}
