package io.attention4j.engine.reference;

import io.attention4j.engine.spi.MatmulKernel;
import io.attention4j.engine.spi.MatmulSpec;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.tensor.RowCodec;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** y[r, o] = sum_i x[r, i] W[o, i] + bias[o], weights decoded row by row. */
final class ReferenceMatmul implements MatmulKernel {
  @Override
  public Support supports(MatmulSpec spec) {
    int block = spec.weight().blockSize();
    return spec.inFeatures() % block == 0
        ? Support.YES
        : Support.no(
            "inFeatures "
                + spec.inFeatures()
                + " is no multiple of "
                + block
                + ", the block of "
                + spec.weight());
  }

  @Override
  public MatmulPlan plan(List<Tensor> weights, List<Tensor> biases) {
    TensorChecks.requireWeights(weights, biases);
    return new Plan(List.copyOf(weights), biases == null ? null : new ArrayList<>(biases));
  }

  private record Plan(List<Tensor> weights, List<Tensor> biases) implements MatmulPlan {
    @Override
    public void run(Tensor x, int rows, Tensor[] outputs, boolean accumulate) {
      TensorChecks.requireMatmul(weights, x, rows, outputs);
      for (int w = 0; w < outputs.length; w++) {
        multiply(
            x, rows, weights.get(w), biases == null ? null : biases.get(w), outputs[w], accumulate);
      }
    }

    private static void multiply(
        Tensor x, int rows, Tensor weight, Tensor bias, Tensor out, boolean accumulate) {
      int in = Math.toIntExact(weight.extent(1));
      long outFeatures = weight.extent(0);
      RowCodec codec = RowCodec.of(weight.dtype());
      MemorySegment input = x.segment();
      MemorySegment result = out.segment();
      float[] row = new float[in];
      for (long o = 0; o < outFeatures; o++) {
        codec.decode(weight.segment(), weight.dtype().bytes(o * weight.stride(0)), row, 0, in);
        for (int r = 0; r < rows; r++) {
          double sum = bias == null ? 0 : bias.segment().getAtIndex(Tensor.FLOAT, o);
          for (int i = 0; i < in; i++) {
            sum += (double) row[i] * input.getAtIndex(Tensor.FLOAT, (long) r * in + i);
          }
          long at = r * outFeatures + o;
          if (accumulate) {
            sum += result.getAtIndex(Tensor.FLOAT, at);
          }
          result.setAtIndex(Tensor.FLOAT, at, (float) sum);
        }
      }
    }

    @Override
    public long weightBytes() {
      return weights.stream().mapToLong(Tensor::byteSize).sum();
    }

    @Override
    public void close() {}
  }
}
