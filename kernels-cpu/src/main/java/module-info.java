/** SIMD kernels for the CPU, and their scalar fallback. */
module io.attention4j.kernels.cpu {
  requires transitive io.attention4j.engine;
  requires static jdk.incubator.vector;

  exports io.attention4j.kernels.cpu;

  provides io.attention4j.engine.spi.KernelProvider with
      io.attention4j.kernels.cpu.SimdProvider,
      io.attention4j.kernels.cpu.ScalarProvider;
}
