package io.attention4j.kernels.opencl;

import io.attention4j.engine.spi.Support;
import io.attention4j.engine.tensor.DType;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** The weight types that weights.cl decodes. */
final class WeightTypes {
  private static final Set<DType> KNOWN =
      EnumSet.of(
          DType.F32,
          DType.F16,
          DType.BF16,
          DType.Q4_0,
          DType.Q4_1,
          DType.Q5_0,
          DType.Q5_1,
          DType.Q8_0,
          DType.Q2_K,
          DType.Q3_K,
          DType.Q4_K,
          DType.Q5_K,
          DType.Q6_K);

  private WeightTypes() {}

  static Support supports(DType type) {
    return KNOWN.contains(type)
        ? Support.YES
        : Support.no("OpenCL kernels decode " + KNOWN + ", not " + type);
  }

  /** The program of a resource that uses decode16, see weights.cl for the options. */
  static ClProgramCache.Source source(
      String resource, DType type, boolean packed, boolean aligned) {
    return new ClProgramCache.Source(
        List.of("weights", resource),
        "-DWEIGHT_" + type + (packed ? " -DPACKED" : "") + (aligned ? " -DALIGNED" : ""));
  }
}
