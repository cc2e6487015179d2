package io.attention4j.kernels.cpu.scalar;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.spi.ActivationKernel;
import io.attention4j.engine.spi.CausalConvKernel;
import io.attention4j.engine.spi.ElementwiseKernel;
import io.attention4j.engine.spi.EmbeddingKernel;
import io.attention4j.engine.spi.KvWriteKernel;
import io.attention4j.engine.spi.LinearScanKernel;
import io.attention4j.engine.spi.MatmulKernel;
import io.attention4j.engine.spi.NormKernel;
import io.attention4j.engine.spi.RopeKernel;
import io.attention4j.engine.spi.SelectiveScanKernel;
import io.attention4j.engine.spi.SoftmaxKernel;
import io.attention4j.kernels.cpu.KernelTable;
import io.attention4j.kernels.cpu.rows.EmbeddingRows;
import io.attention4j.kernels.cpu.rows.KvWriteSlots;
import io.attention4j.kernels.cpu.rows.RowDecoder;

/** The scalar kernels other than attention. */
public final class ScalarKernels {
  private ScalarKernels() {}

  /** Adds them to a table. */
  public static KernelTable addTo(KernelTable table, Parallel workers) {
    return table
        .with(MatmulKernel.class, new ScalarMatmul(workers))
        .with(NormKernel.class, new ScalarNorm(workers))
        .with(RopeKernel.class, new ScalarRope(workers))
        .with(ActivationKernel.class, new ScalarActivation(workers))
        .with(ElementwiseKernel.class, new ScalarElementwise(workers))
        .with(SoftmaxKernel.class, new ScalarSoftmax(workers))
        .with(LinearScanKernel.class, new ScalarLinearScan(workers))
        .with(SelectiveScanKernel.class, new ScalarSelectiveScan(workers))
        .with(CausalConvKernel.class, new ScalarCausalConv(workers))
        .with(EmbeddingKernel.class, new EmbeddingRows(workers, RowDecoder::plain))
        .with(KvWriteKernel.class, new KvWriteSlots());
  }
}
