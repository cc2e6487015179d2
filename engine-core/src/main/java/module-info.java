/** Tensors, the attention vocabulary, the kernel SPI and the float64 reference kernels. */
module io.attention4j.engine {
  exports io.attention4j.engine.tensor;
}
