package io.attention4j.testkit.reference;

import io.attention4j.engine.spi.KernelProvider;
import io.attention4j.testkit.CausalConvKernelContract;

class ReferenceCausalConvKernelTest extends CausalConvKernelContract {
  @Override
  protected KernelProvider provider() {
    return Reference.provider();
  }
}
