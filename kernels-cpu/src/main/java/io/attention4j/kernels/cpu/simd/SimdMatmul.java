package io.attention4j.kernels.cpu.simd;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.spi.MatmulKernel;
import io.attention4j.engine.spi.MatmulSpec;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.matmul.MatmulSupport;
import java.util.List;

/** Matrix products with vectors; the scratch memory of all its plans. */
final class SimdMatmul implements MatmulKernel {
  private final Parallel workers;
  private final MatmulScratch scratch;

  SimdMatmul(Parallel workers) {
    this.workers = workers;
    this.scratch = new MatmulScratch(workers.threads());
  }

  @Override
  public Support supports(MatmulSpec spec) {
    return MatmulSupport.of(spec);
  }

  @Override
  public long ownedBytes(MatmulSpec spec) {
    return PackedWeight.bytes(spec);
  }

  @Override
  public MatmulPlan plan(List<Tensor> weights, List<Tensor> biases) {
    return new SimdMatmulPlan(weights, biases, workers, scratch);
  }
}
