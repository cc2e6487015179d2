package io.attention4j.engine.recurrent.layer;

import io.attention4j.engine.recurrent.Gates;
import io.attention4j.engine.recurrent.Rows;

/**
 * No attention at all: O = (SiLU(H W_gt) * (H W_up)) W_dn, the MLP variant of "Deconstructing
 * Attention" (arXiv 2510.11602). A token's output depends on that token only; the state is empty.
 */
public final class MlpLayer implements SequenceLayer {
  private final Projection gate;
  private final Projection up;
  private final Projection down;

  /**
   * A layer.
   *
   * @param gate [width, hidden]
   * @param up [width, hidden]
   * @param down [hidden, width]
   */
  public MlpLayer(Projection gate, Projection up, Projection down) {
    boolean fits =
        gate.in() == up.in()
            && gate.out() == up.out()
            && down.in() == up.out()
            && down.out() == up.in();
    if (!fits) {
      throw new IllegalArgumentException(
          "gate "
              + gate.weight()
              + ", up "
              + up.weight()
              + " and down "
              + down.weight()
              + " do not make an MLP");
    }
    this.gate = gate;
    this.up = up;
    this.down = down;
  }

  /** W_gt and W_up [width, hidden], W_dn [hidden, width]. */
  public static MlpLayer load(LayerWeights weights, int width, int hidden) {
    return new MlpLayer(
        weights.projection("W_gt", width, hidden),
        weights.projection("W_up", width, hidden),
        weights.projection("W_dn", hidden, width));
  }

  @Override
  public int width() {
    return gate.in();
  }

  @Override
  public SequenceState newState() {
    return new SequenceState();
  }

  @Override
  public Rows run(Rows hidden, Rows embeddings, SequenceState state) {
    state.advance(hidden.tokens());
    return down.apply(gate.apply(hidden).map(Gates::silu).times(up.apply(hidden)));
  }
}
