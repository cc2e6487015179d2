package io.attention4j.kernels.cpu;

import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.spi.AttentionKernel;
import io.attention4j.engine.spi.AttentionPlan;
import io.attention4j.engine.spi.Support;

/** Takes every spec; see {@link ScalarAttentionPlan}. */
final class ScalarAttention implements AttentionKernel {
  private final Parallel workers;

  ScalarAttention(Parallel workers) {
    this.workers = workers;
  }

  @Override
  public Support supports(AttentionSpec spec) {
    return Support.YES;
  }

  @Override
  public AttentionPlan plan(AttentionSpec spec) {
    return new ScalarAttentionPlan(spec, workers);
  }
}
