package io.attention4j.benchmarks.mqar;

import io.attention4j.engine.recurrent.Rows;
import io.attention4j.engine.recurrent.layer.Projection;
import java.util.SplittableRandom;

/**
 * What a hidden state holds and where. Keys (ids of the lower half, but not 0) have a code of unit
 * length, values the bits of their id as -1 and 1; each is zero for other ids, so that only pairs
 * are ever written. Positions have a code too, and that of the next position beside it.
 *
 * @param vocabulary token ids
 * @param keyDim elements of a key's code
 * @param bits elements of a value's code
 * @param positionDim elements of a position's code
 * @param keyCodes [vocabulary / 2, keyDim]
 * @param copied whether the place of the previous token's code starts as the token's own, which a
 *     depthwise convolution then shifts; else it starts as zeros
 */
record Codes(int vocabulary, int keyDim, int bits, int positionDim, Rows keyCodes, boolean copied) {
  /** Random signs of any dimension. */
  static Codes random(int vocabulary, int keyDim, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    double[] codes = new double[vocabulary / 2 * keyDim];
    for (int i = keyDim; i < codes.length; i++) {
      codes[i] = (random.nextBoolean() ? 1 : -1) / Math.sqrt(keyDim);
    }
    return of(vocabulary, new Rows(codes, keyDim));
  }

  /** The bits of the id as signs: all codes differ, with as few elements as that takes. */
  static Codes binary(int vocabulary) {
    int keyDim = width(vocabulary / 2);
    double[] codes = new double[vocabulary / 2 * keyDim];
    for (int i = keyDim; i < codes.length; i++) {
      codes[i] = sign(i / keyDim, i % keyDim) / Math.sqrt(keyDim);
    }
    return of(vocabulary, new Rows(codes, keyDim));
  }

  private static Codes of(int vocabulary, Rows keyCodes) {
    return new Codes(
        vocabulary, keyCodes.width(), width(vocabulary), width(vocabulary), keyCodes, false);
  }

  /** The same for a convolution as first layer. */
  Codes withCopy() {
    return new Codes(vocabulary, keyDim, bits, positionDim, keyCodes, true);
  }

  private static int width(int ids) {
    return 32 - Integer.numberOfLeadingZeros(ids - 1);
  }

  static int sign(int id, int bit) {
    return (id >> bit & 1) == 0 ? -1 : 1;
  }

  /** The token's own key code. */
  int own() {
    return 0;
  }

  /** The key code of the token before: the first layer's result. */
  int previous() {
    return keyDim;
  }

  /** The bits of the token's own value. */
  int value() {
    return 2 * keyDim;
  }

  /** The bits of the answer: the second layer's result. */
  int result() {
    return value() + bits;
  }

  /** The code of the position. */
  int position() {
    return result() + bits;
  }

  /** The code of the position after it. */
  int nextPosition() {
    return position() + positionDim;
  }

  int width() {
    return nextPosition() + positionDim;
  }

  /** The embeddings of tokens, [tokens, width]. */
  Rows embed(int[] inputs) {
    double[] x = new double[inputs.length * width()];
    for (int t = 0; t < inputs.length; t++) {
      int at = t * width();
      int id = inputs[t];
      if (id < vocabulary / 2) {
        for (int i = 0; i < keyDim; i++) {
          x[at + own() + i] = keyCodes.at(id, i);
          x[at + previous() + i] = copied ? keyCodes.at(id, i) : 0;
        }
      } else {
        for (int i = 0; i < bits; i++) {
          x[at + value() + i] = sign(id, i);
        }
      }
      for (int i = 0; i < positionDim; i++) {
        x[at + position() + i] = sign(t, i) / Math.sqrt(positionDim);
        x[at + nextPosition() + i] = sign(t + 1, i) / Math.sqrt(positionDim);
      }
    }
    return new Rows(x, width());
  }

  /** The id whose bits are nearest to the answer at a token: their signs. */
  int answer(Rows hidden, int t) {
    int id = 0;
    for (int i = 0; i < bits; i++) {
      if (hidden.at(t, result() + i) > 0) {
        id |= 1 << i;
      }
    }
    return id;
  }

  /** Reads some elements of the hidden state. */
  Projection read(int from, int count) {
    return read(from, count, 1);
  }

  /** Reads some elements several times, one copy behind the other. */
  Projection read(int from, int count, int copies) {
    int out = count * copies;
    double[] weight = new double[width() * out];
    for (int i = 0; i < out; i++) {
      weight[(from + i % count) * out + i] = 1;
    }
    return new Projection(new Rows(weight, out));
  }

  /** Writes to some elements of the hidden state. */
  Projection write(int to, int count) {
    return write(to, count, 1, 1);
  }

  /** Writes the sum of several copies, times a factor. */
  Projection write(int to, int count, int copies, double factor) {
    double[] weight = new double[count * copies * width()];
    for (int i = 0; i < count * copies; i++) {
      weight[i * width() + to + i % count] = factor;
    }
    return new Projection(new Rows(weight, width()));
  }
}
