package io.attention4j.testkit.reference;

import io.attention4j.engine.spi.KernelProvider;
import io.attention4j.testkit.MatmulKernelContract;

class ReferenceMatmulKernelTest extends MatmulKernelContract {
  @Override
  protected KernelProvider provider() {
    return Reference.provider();
  }
}
