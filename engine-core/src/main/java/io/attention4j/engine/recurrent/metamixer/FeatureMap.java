package io.attention4j.engine.recurrent.metamixer;

import java.util.function.DoubleUnaryOperator;
import java.util.stream.IntStream;

/**
 * An image of channels.
 *
 * @param values [channels, height, width], row-major; not copied
 */
public record FeatureMap(int channels, int height, int width, double[] values) {
  /** Checks the number of values. */
  public FeatureMap {
    if (channels < 1
        || height < 1
        || width < 1
        || values.length != (long) channels * height * width) {
      throw new IllegalArgumentException(
          values.length
              + " values are no feature map ["
              + channels
              + ", "
              + height
              + ", "
              + width
              + "]");
    }
  }

  /** Pixels of a channel. */
  public int pixels() {
    return height * width;
  }

  /** The element of a channel at a row and column. */
  public double at(int channel, int row, int column) {
    return values[(channel * height + row) * width + column];
  }

  FeatureMap map(DoubleUnaryOperator function) {
    double[] mapped =
        IntStream.range(0, values.length)
            .mapToDouble(i -> function.applyAsDouble(values[i]))
            .toArray();
    return new FeatureMap(channels, height, width, mapped);
  }

  /** This + scale * other, a scale per channel; null for 1. */
  FeatureMap plus(FeatureMap other, double[] scale) {
    double[] sum = values.clone();
    for (int i = 0; i < sum.length; i++) {
      sum[i] += (scale == null ? 1 : scale[i / pixels()]) * other.values[i];
    }
    return new FeatureMap(channels, height, width, sum);
  }

  void requireChannels(int wanted) {
    if (channels != wanted) {
      throw new IllegalArgumentException(
          "a feature map of " + channels + " channels does not fit weights of " + wanted);
    }
  }
}
