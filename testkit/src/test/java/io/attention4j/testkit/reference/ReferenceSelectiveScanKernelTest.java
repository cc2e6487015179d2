package io.attention4j.testkit.reference;

import io.attention4j.engine.spi.KernelProvider;
import io.attention4j.testkit.SelectiveScanKernelContract;

class ReferenceSelectiveScanKernelTest extends SelectiveScanKernelContract {
  @Override
  protected KernelProvider provider() {
    return Reference.provider();
  }
}
