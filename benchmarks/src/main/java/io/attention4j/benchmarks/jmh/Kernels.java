package io.attention4j.benchmarks.jmh;

import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.DeviceOptions;

/** Opening kernels from the parameters of a benchmark. */
final class Kernels {
  private Kernels() {}

  /**
   * The provider that the benchmark names, with this many threads; 0 = as many as physical cores.
   */
  static KernelSelector open(String provider, int threads) {
    return KernelSelector.open(provider, new DeviceOptions(threads));
  }

  static KvFormat format(String name) {
    return switch (name) {
      case "f32" -> KvFormat.F32;
      case "f16" -> KvFormat.F16;
      case "bf16" -> KvFormat.BF16;
      case "q8" -> KvFormat.Q8;
      case "q4" -> KvFormat.Q4;
      default ->
          throw new IllegalArgumentException(
              "format " + name + " is none of f32, f16, bf16, q8, q4");
    };
  }
}
