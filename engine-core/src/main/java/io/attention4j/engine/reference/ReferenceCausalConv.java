package io.attention4j.engine.reference;

import io.attention4j.engine.spi.CausalConvKernel;
import io.attention4j.engine.spi.CausalConvSpec;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/** Each channel's inputs behind its state, then the sum over taps. */
final class ReferenceCausalConv implements CausalConvKernel {
  @Override
  public Support supports(CausalConvSpec spec) {
    return Support.YES;
  }

  @Override
  public void run(
      CausalConvSpec spec,
      Tensor x,
      int firstRow,
      int rows,
      Tensor weight,
      Tensor bias,
      Tensor state,
      Tensor out) {
    TensorChecks.requireCausalConv(spec, x, firstRow, rows, weight, bias, state, out);
    int channels = spec.channels();
    int taps = spec.kernelSize();
    int past = taps - 1;
    float[] line = new float[past + rows];
    for (int c = 0; c < channels; c++) {
      for (int i = 0; i < past; i++) {
        line[i] = state.segment().getAtIndex(Tensor.FLOAT, (long) c * past + i);
      }
      for (int t = 0; t < rows; t++) {
        line[past + t] = x.segment().getAtIndex(Tensor.FLOAT, (firstRow + (long) t) * channels + c);
      }
      MemorySegment result = out.segment();
      for (int t = 0; t < rows; t++) {
        double sum = bias == null ? 0 : bias.segment().getAtIndex(Tensor.FLOAT, c);
        for (int i = 0; i < taps; i++) {
          sum +=
              (double) weight.segment().getAtIndex(Tensor.FLOAT, (long) c * taps + i) * line[t + i];
        }
        result.setAtIndex(Tensor.FLOAT, (firstRow + (long) t) * channels + c, (float) sum);
      }
      for (int i = 0; i < past; i++) {
        state.segment().setAtIndex(Tensor.FLOAT, (long) c * past + i, line[rows + i]);
      }
    }
  }
}
