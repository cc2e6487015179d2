package io.attention4j.kernels.cpu.simd;

import io.attention4j.engine.spi.KernelProvider;
import io.attention4j.engine.tensor.DType;
import io.attention4j.kernels.cpu.SimdProvider;
import io.attention4j.testkit.MatmulKernelContract;
import org.junit.jupiter.api.condition.EnabledIf;

@EnabledIf("io.attention4j.kernels.cpu.simd.VectorWidths#available")
class SimdMatmulKernelTest extends MatmulKernelContract {
  @Override
  protected KernelProvider provider() {
    return new SimdProvider();
  }

  /**
   * Where x is rounded to 8-bit codes, an element is off by at most half a step of 1/127 of its
   * block's maximum. On the contract's even distribution that is 0.4% of the products' norm on
   * average; two steps leave room for single outputs that cancel. {@link QuantizedProductsTest}
   * bounds every output by its own products.
   */
  @Override
  protected double relativeTolerance(DType type, int inFeatures) {
    double floats = super.relativeTolerance(type, inFeatures);
    RowGroups layout = RowGroups.of(type);
    return layout != null && layout.quantizes() ? 2.0 / 127 + floats : floats;
  }
}
