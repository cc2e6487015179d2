package io.attention4j.engine.spi;

import io.attention4j.engine.tensor.Tensor;
import java.util.List;

/** y = x W^T: the matrix products of a decoder, weights in any GGML format. */
public interface MatmulKernel extends Kernel<MatmulSpec> {
  /**
   * Binds weights that share their input (such as q, k and v) for many runs. The plan may keep a
   * repacked copy; the weights must outlive it.
   *
   * @param weights matrices [out_i, in], host tensors, contiguous rows
   * @param biases one F32 [out_i] per weight, or null entries; null for none at all
   */
  MatmulPlan plan(List<Tensor> weights, List<Tensor> biases);

  /**
   * Bytes that a plan keeps besides a weight of this shape, such as a repacked copy; for estimates.
   */
  default long ownedBytes(MatmulSpec spec) {
    return 0;
  }

  /** Bound weights. */
  interface MatmulPlan extends AutoCloseable {
    /**
     * outputs[i] = x W_i^T + bias_i, or += when accumulating.
     *
     * @param x F32 [rows, in]
     * @param rows rows to compute, the first of x and of every output
     * @param outputs F32 [&gt;= rows, out_i], row-major; must not overlap x
     */
    void run(Tensor x, int rows, Tensor[] outputs, boolean accumulate);

    /** Bytes of weights read for one row: what bounds decoding. */
    long weightBytes();

    @Override
    void close();
  }
}
