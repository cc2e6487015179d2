package io.attention4j.engine.recurrent.layer;

import io.attention4j.engine.recurrent.Rows;

/**
 * BaseConv, the gated convolution of Zoology (Arora et al. 2023, arXiv 2312.04927) and the short
 * convolution of Based: conv(u) * (u W + b), without the residual, which the stack adds. State: the
 * last taps - 1 tokens.
 */
public final class BaseConvLayer implements SequenceLayer {
  private final CausalConv conv;
  private final Projection gate;

  /**
   * A layer.
   *
   * @param filter depthwise, [width, taps], its last tap on the current token
   * @param gate [width, width], with its bias
   */
  public BaseConvLayer(Rows filter, Projection gate) {
    if (filter.tokens() != gate.in() || gate.in() != gate.out()) {
      throw new IllegalArgumentException(
          "a filter " + filter + " and a gate " + gate.weight() + " must be equally wide");
    }
    this.conv = new CausalConv(filter, null);
    this.gate = gate;
  }

  @Override
  public int width() {
    return gate.in();
  }

  @Override
  public SequenceState newState() {
    return new SequenceState(conv.newTail());
  }

  @Override
  public Rows run(Rows hidden, Rows embeddings, SequenceState state) {
    state.advance(hidden.tokens());
    return conv.run(hidden, state.part(0)).times(gate.apply(hidden));
  }
}
