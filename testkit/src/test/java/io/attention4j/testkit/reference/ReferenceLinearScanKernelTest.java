package io.attention4j.testkit.reference;

import io.attention4j.engine.spi.KernelProvider;
import io.attention4j.testkit.LinearScanKernelContract;

class ReferenceLinearScanKernelTest extends LinearScanKernelContract {
  @Override
  protected KernelProvider provider() {
    return Reference.provider();
  }
}
