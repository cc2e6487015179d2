package io.attention4j.kernels.cpu.simd;

import io.attention4j.engine.spi.KernelProvider;
import io.attention4j.kernels.cpu.SimdProvider;
import io.attention4j.testkit.SelectiveScanKernelContract;
import org.junit.jupiter.api.condition.EnabledIf;

@EnabledIf("io.attention4j.kernels.cpu.simd.VectorWidths#available")
class SimdSelectiveScanKernelTest extends SelectiveScanKernelContract {
  @Override
  protected KernelProvider provider() {
    return new SimdProvider();
  }
}
