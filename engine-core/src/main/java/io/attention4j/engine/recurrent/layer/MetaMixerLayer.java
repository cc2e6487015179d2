package io.attention4j.engine.recurrent.layer;

import io.attention4j.engine.recurrent.Gates;
import io.attention4j.engine.recurrent.Rows;

/**
 * FFNified attention of MetaMixer (Yun et al. 2024, arXiv 2406.02021) over a sequence: O =
 * conv_V(GELU(conv_K(x W))), keys and values being static depthwise kernels. Causal, which the
 * paper's is not: both convolutions look back only. State: the last k1 - 1 and k2 - 1 rows.
 */
public final class MetaMixerLayer implements SequenceLayer {
  private final Projection query;
  private final CausalConv keys;
  private final CausalConv values;

  /**
   * A layer; norms are folded into its weights.
   *
   * @param query [width, width]
   * @param keys [width, k1], the last tap on the current token
   * @param keyBias [width], or null
   * @param values [width, k2]
   * @param valueBias [width], or null
   */
  public MetaMixerLayer(
      Projection query, Rows keys, double[] keyBias, Rows values, double[] valueBias) {
    if (query.in() != query.out()
        || keys.tokens() != query.out()
        || values.tokens() != query.out()) {
      throw new IllegalArgumentException(
          "query " + query.weight() + ", keys " + keys + " and values " + values + " do not fit");
    }
    this.query = query;
    this.keys = new CausalConv(keys, keyBias);
    this.values = new CausalConv(values, valueBias);
  }

  /** W1x1 [width, width], K [width, k1] and V [width, k2], with biases K_b and V_b [width]. */
  public static MetaMixerLayer load(LayerWeights weights, int width, int k1, int k2) {
    return new MetaMixerLayer(
        weights.projection("W1x1", width, width),
        weights.rows("K", width, k1),
        weights.values("K_b", width),
        weights.rows("V", width, k2),
        weights.values("V_b", width));
  }

  @Override
  public int width() {
    return query.in();
  }

  @Override
  public SequenceState newState() {
    return new SequenceState(keys.newTail(), values.newTail());
  }

  @Override
  public Rows run(Rows hidden, Rows embeddings, SequenceState state) {
    state.advance(hidden.tokens());
    Rows scores = keys.run(query.apply(hidden), state.part(0));
    return values.run(scores.map(Gates::gelu), state.part(1));
  }
}
