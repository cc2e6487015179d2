package io.attention4j.engine.recurrent.metamixer;

import io.attention4j.engine.recurrent.Gates;
import io.attention4j.engine.recurrent.Rows;
import io.attention4j.engine.recurrent.layer.Projection;

/**
 * A block of FFNet: FFNified attention, O = DW_V(GELU(DW_K(BN(W x)))), whose keys and values are
 * static convolutions, and a channel mixer, W_2 GELU(W_1 DW(x)), each with its residual. Not
 * causal: a pixel sees those around it, (k1 + k2 - 2) / 2 away.
 *
 * @param query W, [channels, channels]
 * @param queryNorm behind it, or null
 * @param keys DW_K
 * @param values DW_V
 * @param tokenScale per channel, or null for 1
 * @param spatial DW of the channel mixer
 * @param up W_1, [channels, hidden], with its bias
 * @param down W_2, [hidden, channels], with its bias
 * @param channelScale per channel, or null for 1
 */
public record MetaMixerBlock(
    Projection query,
    BatchNorm queryNorm,
    ConvBranches keys,
    ConvBranches values,
    double[] tokenScale,
    ConvBranches spatial,
    Projection up,
    Projection down,
    double[] channelScale) {
  /** Checks that the channels fit. */
  public MetaMixerBlock {
    int channels = query.in();
    boolean fits =
        query.out() == channels
            && (queryNorm == null || queryNorm.channels() == channels)
            && channelsOf(keys) == channels
            && channelsOf(values) == channels
            && channelsOf(spatial) == channels
            && up.in() == channels
            && up.out() == down.in()
            && down.out() == channels
            && (tokenScale == null || tokenScale.length == channels)
            && (channelScale == null || channelScale.length == channels);
    if (!fits) {
      throw new IllegalArgumentException(
          "query "
              + query.weight()
              + ", kernels of "
              + channelsOf(keys)
              + ", "
              + channelsOf(values)
              + " and "
              + channelsOf(spatial)
              + " channels, up "
              + up.weight()
              + " and down "
              + down.weight()
              + " do not make a block");
    }
  }

  private static int channelsOf(ConvBranches branches) {
    return branches.branches().getFirst().conv().channels();
  }

  /** FFNified attention, without the residual. */
  public FeatureMap mixTokens(FeatureMap x) {
    FeatureMap q = perPixel(query, x);
    FeatureMap scores = keys.apply(queryNorm == null ? q : queryNorm.apply(q));
    return values.apply(scores.map(Gates::gelu));
  }

  /** The channel mixer, without the residual. */
  public FeatureMap mixChannels(FeatureMap x) {
    return perPixel(down, perPixel(up, spatial.apply(x)).map(Gates::gelu));
  }

  /** Both with their residuals. */
  public FeatureMap apply(FeatureMap x) {
    FeatureMap mixed = x.plus(mixTokens(x), tokenScale);
    return mixed.plus(mixChannels(mixed), channelScale);
  }

  /** The same block with every norm and branch folded into one convolution or map. */
  public MetaMixerBlock fused() {
    return new MetaMixerBlock(
        queryNorm == null ? query : queryNorm.foldAfter(query),
        null,
        ConvBranches.of(keys.fused()),
        ConvBranches.of(values.fused()),
        tokenScale,
        ConvBranches.of(spatial.fused()),
        up,
        down,
        channelScale);
  }

  /** A map of channels at every pixel: a convolution of size 1. */
  static FeatureMap perPixel(Projection map, FeatureMap x) {
    x.requireChannels(map.in());
    double[] pixels = new double[x.values().length];
    for (int i = 0; i < pixels.length; i++) {
      pixels[i % x.pixels() * x.channels() + i / x.pixels()] = x.values()[i];
    }
    Rows y = map.apply(new Rows(pixels, x.channels()));
    double[] values = new double[y.values().length];
    for (int i = 0; i < values.length; i++) {
      values[i] = y.at(i % x.pixels(), i / x.pixels());
    }
    return new FeatureMap(map.out(), x.height(), x.width(), values);
  }
}
