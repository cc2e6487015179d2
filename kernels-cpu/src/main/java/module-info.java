/** SIMD kernels for the CPU, and their scalar fallback. */
module io.attention4j.kernels.cpu {
  requires transitive io.attention4j.engine;
  requires static jdk.incubator.vector;
}
