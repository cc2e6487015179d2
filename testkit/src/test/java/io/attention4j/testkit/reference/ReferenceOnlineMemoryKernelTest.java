package io.attention4j.testkit.reference;

import io.attention4j.engine.spi.KernelProvider;
import io.attention4j.testkit.OnlineMemoryKernelContract;

class ReferenceOnlineMemoryKernelTest extends OnlineMemoryKernelContract {
  @Override
  protected KernelProvider provider() {
    return Reference.provider();
  }
}
