package io.attention4j.cli.conformance;

import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.Kernel;

/**
 * A case of a known operator that does not run: the kernel API does not express its form, or the
 * chosen provider has no such kernel; says which.
 */
final class SkippedCaseException extends RuntimeException {
  private static final long serialVersionUID = 1;

  SkippedCaseException(String reason) {
    super(reason);
  }

  /** Skips a case of an operator whose kind of kernel the chosen provider lacks altogether. */
  static void requireKernel(KernelSelector kernels, Class<? extends Kernel<?>> kind) {
    if (!kernels.offers(kind)) {
      throw new SkippedCaseException(
          "kernels "
              + kernels.device().providerId()
              + " have no "
              + kind.getSimpleName()
              + "; --kernels reference has");
    }
  }
}
