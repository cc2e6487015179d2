package io.attention4j.kernels.cpu.simd;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.spi.ActivationKernel;
import io.attention4j.engine.spi.AttentionKernel;
import io.attention4j.engine.spi.CausalConvKernel;
import io.attention4j.engine.spi.ElementwiseKernel;
import io.attention4j.engine.spi.EmbeddingKernel;
import io.attention4j.engine.spi.KvWriteKernel;
import io.attention4j.engine.spi.LinearScanKernel;
import io.attention4j.engine.spi.MatmulKernel;
import io.attention4j.engine.spi.NormKernel;
import io.attention4j.engine.spi.ProbeKernel;
import io.attention4j.engine.spi.RopeKernel;
import io.attention4j.engine.spi.SelectiveScanKernel;
import io.attention4j.engine.spi.SoftmaxKernel;
import io.attention4j.kernels.cpu.KernelTable;
import io.attention4j.kernels.cpu.SimdProvider;
import io.attention4j.kernels.cpu.rows.EmbeddingRows;
import io.attention4j.kernels.cpu.rows.KvWriteSlots;
import java.util.Set;
import jdk.incubator.vector.FloatVector;

/** The table of vector kernels, and what it needs of the CPU. */
public final class SimdKernels {
  private static final Set<String> WIDTHS = Set.of("128", "256", "512");

  private SimdKernels() {}

  /** The kernels on these workers; a new kernel is one line here. */
  public static KernelTable table(Parallel workers) {
    return new KernelTable()
        .with(ProbeKernel.class, new SimdProbe(workers))
        .with(AttentionKernel.class, new SimdAttention(workers))
        .with(MatmulKernel.class, new SimdMatmul(workers))
        .with(NormKernel.class, new SimdNorm(workers))
        .with(RopeKernel.class, new SimdRope(workers))
        .with(ActivationKernel.class, new SimdActivation(workers))
        .with(ElementwiseKernel.class, new SimdElementwise(workers))
        .with(SoftmaxKernel.class, new SimdSoftmax(workers))
        .with(LinearScanKernel.class, new SimdLinearScan(workers))
        .with(SelectiveScanKernel.class, new SimdSelectiveScan(workers))
        .with(CausalConvKernel.class, new SimdCausalConv(workers))
        .with(EmbeddingKernel.class, new EmbeddingRows(workers, WeightRows::of))
        .with(KvWriteKernel.class, new KvWriteSlots());
  }

  /**
   * Why vector kernels cannot run here, or null if they can.
   *
   * @param forcedBits value of {@link SimdProvider#VECTOR_BITS_PROPERTY}, or null
   */
  public static String problem(String forcedBits) {
    int widest = FloatVector.SPECIES_MAX.vectorBitSize();
    if (widest < 128) {
      return "this CPU or JVM offers vectors of " + widest + " bits and at least 128 are needed";
    }
    if (forcedBits == null || forcedBits.isBlank()) {
      return null;
    }
    String wanted = forcedBits.strip();
    String property = "-D" + SimdProvider.VECTOR_BITS_PROPERTY + "=" + wanted;
    if (!WIDTHS.contains(wanted)) {
      return property + " is no vector width; use 128, 256 or 512, or leave it unset";
    }
    if (Integer.parseInt(wanted) > widest) {
      return property + " is wider than this CPU's " + widest + "-bit vectors";
    }
    if (Integer.parseInt(wanted) != Species.BITS) {
      return property
          + " was set after this JVM started to use "
          + Species.BITS
          + "-bit vectors; set it on the command line";
    }
    return null;
  }

  /** Width in bits; {@link #problem} must have been null. */
  public static int vectorBits() {
    return Species.BITS;
  }
}
