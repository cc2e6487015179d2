package io.attention4j.testkit.reference;

import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.KernelProvider;

/** Finds the provider under test as any application would. */
final class Reference {
  private Reference() {}

  static KernelProvider provider() {
    return KernelSelector.providers().stream()
        .filter(provider -> provider.id().equals("reference"))
        .findFirst()
        .orElseThrow();
  }
}
