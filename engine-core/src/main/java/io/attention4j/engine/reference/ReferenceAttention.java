package io.attention4j.engine.reference;

import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.spi.AttentionKernel;
import io.attention4j.engine.spi.AttentionPlan;
import io.attention4j.engine.spi.Support;

/** Attention as {@link AttentionSpec} defines it; takes every spec. */
final class ReferenceAttention implements AttentionKernel {
  @Override
  public Support supports(AttentionSpec spec) {
    return Support.YES;
  }

  @Override
  public AttentionPlan plan(AttentionSpec spec) {
    return new ReferenceAttentionPlan(spec);
  }
}
