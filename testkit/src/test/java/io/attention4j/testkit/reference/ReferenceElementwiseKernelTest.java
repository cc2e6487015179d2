package io.attention4j.testkit.reference;

import io.attention4j.engine.spi.KernelProvider;
import io.attention4j.testkit.ElementwiseKernelContract;

class ReferenceElementwiseKernelTest extends ElementwiseKernelContract {
  @Override
  protected KernelProvider provider() {
    return Reference.provider();
  }
}
