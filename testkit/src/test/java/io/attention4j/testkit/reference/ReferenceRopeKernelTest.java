package io.attention4j.testkit.reference;

import io.attention4j.engine.spi.KernelProvider;
import io.attention4j.testkit.RopeKernelContract;

class ReferenceRopeKernelTest extends RopeKernelContract {
  @Override
  protected KernelProvider provider() {
    return Reference.provider();
  }
}
