package io.attention4j.kernels.cpu.scalar;

import io.attention4j.engine.spi.KernelProvider;
import io.attention4j.kernels.cpu.ScalarProvider;
import io.attention4j.testkit.SelectiveScanKernelContract;

class ScalarSelectiveScanKernelTest extends SelectiveScanKernelContract {
  @Override
  protected KernelProvider provider() {
    return new ScalarProvider();
  }
}
