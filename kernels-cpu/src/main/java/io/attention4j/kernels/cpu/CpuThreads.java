package io.attention4j.kernels.cpu;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.runtime.Processors;
import io.attention4j.engine.runtime.WorkerPool;
import io.attention4j.engine.spi.DeviceOptions;

/** The worker pool of a CPU device. */
final class CpuThreads {
  private CpuThreads() {}

  static Parallel start(DeviceOptions options) {
    return new WorkerPool(options.threads() == 0 ? Processors.physical() : options.threads());
  }
}
