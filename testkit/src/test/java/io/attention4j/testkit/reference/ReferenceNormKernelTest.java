package io.attention4j.testkit.reference;

import io.attention4j.engine.spi.KernelProvider;
import io.attention4j.testkit.NormKernelContract;

class ReferenceNormKernelTest extends NormKernelContract {
  @Override
  protected KernelProvider provider() {
    return Reference.provider();
  }
}
