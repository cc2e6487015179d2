package io.attention4j.engine.recurrent.metamixer;

import io.attention4j.engine.recurrent.Rows;

/**
 * A convolution of each channel with its own kernel; zeros around the image keep its size.
 *
 * @param size rows and columns of a kernel, odd
 * @param weight [channels, size * size]
 * @param bias [channels]
 */
public record DepthwiseConv(int size, Rows weight, double[] bias) {
  /** Checks that the shapes fit. */
  public DepthwiseConv {
    if (size < 1 || size % 2 == 0) {
      throw new IllegalArgumentException(
          "a kernel of size " + size + " has no middle; use an odd size");
    }
    if (weight.width() != size * size || bias.length != weight.tokens()) {
      throw new IllegalArgumentException(
          "weights "
              + weight
              + " and a bias of "
              + bias.length
              + " are no kernels of size "
              + size);
    }
  }

  /** Number of channels. */
  public int channels() {
    return weight.tokens();
  }

  /** Convolves every channel. */
  public FeatureMap apply(FeatureMap x) {
    x.requireChannels(channels());
    double[] y = new double[x.values().length];
    int reach = size / 2;
    int at = 0;
    for (int c = 0; c < x.channels(); c++) {
      for (int row = 0; row < x.height(); row++) {
        for (int column = 0; column < x.width(); column++, at++) {
          y[at] = bias[c];
          for (int tap = 0; tap < size * size; tap++) {
            int r = row + tap / size - reach;
            int s = column + tap % size - reach;
            if (r >= 0 && r < x.height() && s >= 0 && s < x.width()) {
              y[at] += weight.at(c, tap) * x.at(c, r, s);
            }
          }
        }
      }
    }
    return new FeatureMap(x.channels(), x.height(), x.width(), y);
  }

  /** The same convolution with larger kernels, zeros around. */
  DepthwiseConv padded(int toSize) {
    int margin = (toSize - size) / 2;
    double[] larger = new double[channels() * toSize * toSize];
    for (int i = 0; i < weight.values().length; i++) {
      int c = i / (size * size);
      int row = i / size % size + margin;
      int column = i % size + margin;
      larger[(c * toSize + row) * toSize + column] = weight.values()[i];
    }
    return new DepthwiseConv(toSize, new Rows(larger, toSize * toSize), bias);
  }

  /** Two convolutions of one input, added, as one. */
  static DepthwiseConv sum(DepthwiseConv a, DepthwiseConv b) {
    int size = Math.max(a.size, b.size);
    double[] weight = a.padded(size).weight.values().clone();
    double[] other = b.padded(size).weight.values();
    for (int i = 0; i < weight.length; i++) {
      weight[i] += other[i];
    }
    double[] bias = a.bias.clone();
    for (int c = 0; c < bias.length; c++) {
      bias[c] += b.bias[c];
    }
    return new DepthwiseConv(size, new Rows(weight, size * size), bias);
  }
}
