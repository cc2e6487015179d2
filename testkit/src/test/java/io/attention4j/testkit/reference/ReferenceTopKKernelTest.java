package io.attention4j.testkit.reference;

import io.attention4j.engine.spi.KernelProvider;
import io.attention4j.testkit.TopKKernelContract;

class ReferenceTopKKernelTest extends TopKKernelContract {
  @Override
  protected KernelProvider provider() {
    return Reference.provider();
  }
}
