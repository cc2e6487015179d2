package io.attention4j.engine.recurrent.layer;

import io.attention4j.engine.recurrent.Rows;
import java.util.Arrays;

/**
 * A short depthwise causal convolution over rows, y[t, c] = bias[c] + sum_i weight[c, i] x[t - taps
 * + 1 + i, c]; rows before the first are the state, zeros at the start of a sequence.
 *
 * @param weight [channels, taps]
 * @param bias [channels], or null
 */
record CausalConv(Rows weight, double[] bias) {
  CausalConv {
    if (bias != null && bias.length != weight.tokens()) {
      throw new IllegalArgumentException(
          "a bias of " + bias.length + " elements does not fit a convolution " + weight);
    }
  }

  int channels() {
    return weight.tokens();
  }

  /** The tail before the first token, [taps - 1, channels]. */
  double[] newTail() {
    return new double[(weight.width() - 1) * channels()];
  }

  /** Convolves the next rows of a sequence; the tail is of the rows before, then of these. */
  Rows run(Rows x, double[] tail) {
    int channels = channels();
    if (x.width() != channels) {
      throw new IllegalArgumentException(
          "rows " + x + " do not fit a convolution of " + channels + " channels");
    }
    int past = weight.width() - 1;
    double[] line = Arrays.copyOf(tail, tail.length + x.values().length);
    System.arraycopy(x.values(), 0, line, tail.length, x.values().length);
    double[] y = new double[x.values().length];
    for (int i = 0; i < y.length; i++) {
      int c = i % channels;
      y[i] = bias == null ? 0 : bias[c];
      for (int tap = 0; tap <= past; tap++) {
        y[i] += weight.at(c, tap) * line[i + tap * channels];
      }
    }
    System.arraycopy(line, line.length - tail.length, tail, 0, tail.length);
    return new Rows(y, channels);
  }
}
