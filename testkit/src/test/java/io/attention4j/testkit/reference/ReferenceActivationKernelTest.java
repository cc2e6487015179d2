package io.attention4j.testkit.reference;

import io.attention4j.engine.spi.KernelProvider;
import io.attention4j.testkit.ActivationKernelContract;

class ReferenceActivationKernelTest extends ActivationKernelContract {
  @Override
  protected KernelProvider provider() {
    return Reference.provider();
  }
}
