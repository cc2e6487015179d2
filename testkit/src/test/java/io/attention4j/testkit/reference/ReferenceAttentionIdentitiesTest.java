package io.attention4j.testkit.reference;

import io.attention4j.engine.spi.KernelProvider;
import io.attention4j.testkit.AttentionIdentitiesContract;

class ReferenceAttentionIdentitiesTest extends AttentionIdentitiesContract {
  @Override
  protected KernelProvider provider() {
    return Reference.provider();
  }
}
