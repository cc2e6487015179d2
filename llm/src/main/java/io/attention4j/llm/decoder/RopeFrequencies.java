package io.attention4j.llm.decoder;

import io.attention4j.llm.architecture.ModelConfig;
import io.attention4j.llm.architecture.RopeScaling;
import java.util.List;

/**
 * Angle per position of each rotated pair, and the factor of the rotated vectors, in float64.
 *
 * @param perPosition radians per position, one per pair
 * @param factor scales cosines and sines
 */
record RopeFrequencies(double[] perPosition, double factor) {
  /** Frequencies of a rotation for a context of this many tokens. */
  static RopeFrequencies of(ModelConfig.Rope rope, int contextTokens) {
    int rotaryDim = rope.spec().rotaryDim();
    double[] plain = new double[rotaryDim / 2];
    for (int i = 0; i < plain.length; i++) {
      plain[i] = Math.pow(rope.base(), -2.0 * i / rotaryDim);
    }
    return switch (rope.scaling()) {
      case RopeScaling.None none -> new RopeFrequencies(plain, 1);
      case RopeScaling.Linear linear -> {
        for (int i = 0; i < plain.length; i++) {
          plain[i] /= linear.factor();
        }
        yield new RopeFrequencies(plain, 1);
      }
      case RopeScaling.Llama3 llama3 -> new RopeFrequencies(llama3(plain, llama3), 1);
      case RopeScaling.Yarn yarn ->
          new RopeFrequencies(yarn(plain, yarn, rope.base(), rotaryDim), yarn.attentionFactor());
      case RopeScaling.Divisors divisors -> {
        List<Double> list =
            contextTokens > divisors.originalContext()
                ? divisors.beyond()
                : divisors.upToOriginal();
        for (int i = 0; i < plain.length; i++) {
          plain[i] /= list.get(i);
        }
        yield new RopeFrequencies(plain, divisors.attentionFactor());
      }
    };
  }

  private static double[] llama3(double[] plain, RopeScaling.Llama3 scaling) {
    double[] scaled = new double[plain.length];
    double longest = scaling.originalContext() / scaling.low();
    double shortest = scaling.originalContext() / scaling.high();
    for (int i = 0; i < plain.length; i++) {
      double wavelength = 2 * Math.PI / plain[i];
      if (wavelength < shortest) {
        scaled[i] = plain[i];
      } else if (wavelength > longest) {
        scaled[i] = plain[i] / scaling.factor();
      } else {
        double smooth =
            (scaling.originalContext() / wavelength - scaling.low())
                / (scaling.high() - scaling.low());
        scaled[i] = (1 - smooth) * plain[i] / scaling.factor() + smooth * plain[i];
      }
    }
    return scaled;
  }

  private static double[] yarn(
      double[] plain, RopeScaling.Yarn scaling, double base, int rotaryDim) {
    double low = dimension(scaling.betaFast(), scaling.originalContext(), base, rotaryDim);
    double high = dimension(scaling.betaSlow(), scaling.originalContext(), base, rotaryDim);
    if (scaling.truncate()) {
      low = Math.floor(low);
      high = Math.ceil(high);
    }
    low = Math.max(low, 0);
    high = Math.min(high, rotaryDim - 1);
    if (low == high) {
      high += 0.001; // as the authors' code avoids 0 / 0
    }
    double[] scaled = new double[plain.length];
    for (int i = 0; i < plain.length; i++) {
      double stretched = Math.clamp((i - low) / (high - low), 0, 1);
      scaled[i] = plain[i] / scaling.factor() * stretched + plain[i] * (1 - stretched);
    }
    return scaled;
  }

  /** The pair that rotates this often over the original context. */
  private static double dimension(
      double rotations, int originalContext, double base, int rotaryDim) {
    return rotaryDim * Math.log(originalContext / (rotations * 2 * Math.PI)) / (2 * Math.log(base));
  }
}
