package io.attention4j.testkit.reference;

import io.attention4j.engine.spi.KernelProvider;
import io.attention4j.testkit.AttentionKernelContract;

class ReferenceAttentionKernelTest extends AttentionKernelContract {
  @Override
  protected KernelProvider provider() {
    return Reference.provider();
  }
}
