package io.attention4j.kernels.opencl;

import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.spi.AttentionKernel;
import io.attention4j.engine.spi.AttentionPlan;
import io.attention4j.engine.spi.Support;

/** Tiled and split-key attention, see attention.cl. */
final class OpenClAttention implements AttentionKernel {
  private final ClContext context;

  OpenClAttention(ClContext context) {
    this.context = context;
  }

  @Override
  public Support supports(AttentionSpec spec) {
    return AttentionSource.supports(spec, context.device());
  }

  @Override
  public AttentionPlan plan(AttentionSpec spec) {
    if (supports(spec) instanceof Support.No no) {
      throw new IllegalArgumentException(no.reason());
    }
    return new OpenClAttentionPlan(context, spec);
  }
}
