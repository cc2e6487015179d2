package io.attention4j.testkit.reference;

import io.attention4j.engine.spi.KernelProvider;
import io.attention4j.testkit.EmbeddingKernelContract;

class ReferenceEmbeddingKernelTest extends EmbeddingKernelContract {
  @Override
  protected KernelProvider provider() {
    return Reference.provider();
  }
}
