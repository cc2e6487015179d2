package io.attention4j.kernels.cpu.simd;

import io.attention4j.engine.spi.KernelProvider;
import io.attention4j.kernels.cpu.SimdProvider;
import io.attention4j.testkit.PrefixAttentionKernelContract;
import org.junit.jupiter.api.condition.EnabledIf;

@EnabledIf("io.attention4j.kernels.cpu.simd.VectorWidths#available")
class SimdPrefixAttentionKernelTest extends PrefixAttentionKernelContract {
  @Override
  protected KernelProvider provider() {
    return new SimdProvider();
  }
}
