package io.attention4j.engine.recurrent.layer;

import io.attention4j.engine.recurrent.ChunkedScan;
import io.attention4j.engine.recurrent.DynamicalSystem;
import io.attention4j.engine.recurrent.Gates;
import io.attention4j.engine.recurrent.QuasiLstm;
import io.attention4j.engine.recurrent.Rows;
import java.util.OptionalDouble;

/**
 * The layer around {@link QuasiLstm} in the code of the Dynamical Systems Framework (arXiv
 * 2405.15731): (g, x) = u W_in, x convolved by four taps, gates (f, i, o) = x W_g, and y = (GELU(g)
 * * sigmoid(o) * h) W_out with h = sigmoid(f) h + sigmoid(i) x, or the reversed gate of S6 for f.
 * State: h and the convolution's tail.
 */
public final class QuasiLstmLayer implements SequenceLayer {
  private static final int TAPS = 4;
  private static final int CHUNK = 64;

  private final Projection in;
  private final CausalConv conv;
  private final Projection gates;
  private final Projection out;
  private final OptionalDouble power;

  /**
   * A layer of loaded weights, with hidden = 2 width: W_in [width, 2 hidden], conv [hidden, 4] and
   * conv_b [hidden], W_g [hidden, 3 hidden], W_out [hidden, width].
   *
   * @param power learned, of the forget gate sigmoid(-f)^power; empty for sigmoid(f)
   */
  public QuasiLstmLayer(LayerWeights weights, int width, OptionalDouble power) {
    int hidden = 2 * width;
    in = weights.projection("W_in", width, 2 * hidden);
    conv = new CausalConv(weights.rows("conv", hidden, TAPS), weights.values("conv_b", hidden));
    gates = weights.projection("W_g", hidden, 3 * hidden);
    out = weights.projection("W_out", hidden, width);
    this.power = power;
  }

  @Override
  public int width() {
    return in.in();
  }

  @Override
  public SequenceState newState() {
    return new SequenceState(conv.newTail(), new double[conv.channels()]);
  }

  @Override
  public Rows run(Rows hidden, Rows embeddings, SequenceState state) {
    Rows both = in.apply(hidden);
    Rows gelu = AttentionWeights.head(both, 0, 2).map(Gates::gelu);
    Rows x = conv.run(AttentionWeights.head(both, 1, 2), state.part(0));
    Rows all = gates.apply(x);
    Rows forget = AttentionWeights.head(all, 0, 3);
    Rows input = AttentionWeights.head(all, 1, 3);
    Rows output = AttentionWeights.head(all, 2, 3);
    DynamicalSystem system =
        power.isEmpty()
            ? QuasiLstm.system(x, forget, input, output)
            : QuasiLstm.reversed(x, forget, input, output, power.getAsDouble());
    Rows h = ChunkedScan.run(system, state.part(1), CHUNK);
    state.advance(hidden.tokens());
    return out.apply(gelu.times(h));
  }
}
