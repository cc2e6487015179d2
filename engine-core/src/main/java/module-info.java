/** Tensors, the attention vocabulary, the kernel SPI and the float64 reference kernels. */
module io.attention4j.engine {
  exports io.attention4j.engine.attention;
  exports io.attention4j.engine.operator;
  exports io.attention4j.engine.recurrent;
  exports io.attention4j.engine.recurrent.layer;
  exports io.attention4j.engine.recurrent.memory;
  exports io.attention4j.engine.recurrent.metamixer;
  exports io.attention4j.engine.runtime;
  exports io.attention4j.engine.spi;
  exports io.attention4j.engine.tensor;

  uses io.attention4j.engine.spi.KernelProvider;
  uses io.attention4j.engine.operator.OperatorProvider;
  uses io.attention4j.engine.operator.KvCacheProvider;

  provides io.attention4j.engine.spi.KernelProvider with
      io.attention4j.engine.reference.ReferenceProvider;
  provides io.attention4j.engine.operator.OperatorProvider with
      io.attention4j.engine.recurrent.operator.RecurrentOperators;
}
