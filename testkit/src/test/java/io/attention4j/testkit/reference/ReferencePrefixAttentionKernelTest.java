package io.attention4j.testkit.reference;

import io.attention4j.engine.spi.KernelProvider;
import io.attention4j.testkit.PrefixAttentionKernelContract;

class ReferencePrefixAttentionKernelTest extends PrefixAttentionKernelContract {
  @Override
  protected KernelProvider provider() {
    return Reference.provider();
  }
}
