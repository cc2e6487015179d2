package io.attention4j.engine.spi;

import io.attention4j.engine.attention.AttentionSpec;

/** Attention over paged keys and values. */
public interface AttentionKernel extends Kernel<AttentionSpec> {
  /**
   * Compiles a spec, once per model.
   *
   * @throws IllegalArgumentException with the reason of {@link #supports} if it is refused
   */
  AttentionPlan plan(AttentionSpec spec);
}
