package io.attention4j.kernels.cpu.simd;

import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.ScoreModifier;
import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.spi.AttentionKernel;
import io.attention4j.engine.spi.AttentionPlan;
import io.attention4j.engine.spi.Support;
import io.attention4j.kernels.cpu.attention.MaskBounds;

/** Tiled attention with vectors; refuses masks and modifiers that are code. */
final class SimdAttention implements AttentionKernel {
  private final Parallel workers;

  SimdAttention(Parallel workers) {
    this.workers = workers;
  }

  @Override
  public Support supports(AttentionSpec spec) {
    if (MaskBounds.isCustom(spec.mask())) {
      return Support.no("mask is or contains Custom, which cpu.simd cannot compile");
    }
    for (ScoreModifier modifier : spec.modifiers()) {
      if (modifier instanceof ScoreModifier.Custom) {
        return Support.no("modifiers contain Custom, which cpu.simd cannot compile");
      }
    }
    return Support.YES;
  }

  @Override
  public AttentionPlan plan(AttentionSpec spec) {
    if (supports(spec) instanceof Support.No no) {
      throw new IllegalArgumentException("cpu.simd refuses the spec: " + no.reason());
    }
    return new SimdAttentionPlan(spec, workers);
  }
}
