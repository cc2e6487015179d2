package io.attention4j.testkit.reference;

import io.attention4j.engine.spi.KernelProvider;
import io.attention4j.testkit.SoftmaxKernelContract;

class ReferenceSoftmaxKernelTest extends SoftmaxKernelContract {
  @Override
  protected KernelProvider provider() {
    return Reference.provider();
  }
}
