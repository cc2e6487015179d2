package io.attention4j.kernels.cpu;

import io.attention4j.engine.spi.KernelProvider;
import io.attention4j.testkit.AttentionKernelContract;

class ScalarAttentionKernelTest extends AttentionKernelContract {
  @Override
  protected KernelProvider provider() {
    return new ScalarProvider();
  }
}
