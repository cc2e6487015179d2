package io.attention4j.testkit.reference;

import io.attention4j.engine.spi.KernelProvider;
import io.attention4j.testkit.KvWriteKernelContract;

class ReferenceKvWriteKernelTest extends KvWriteKernelContract {
  @Override
  protected KernelProvider provider() {
    return Reference.provider();
  }
}
