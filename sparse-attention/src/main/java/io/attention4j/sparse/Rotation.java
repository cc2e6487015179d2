package io.attention4j.sparse;

import io.attention4j.engine.operator.RopeTable;
import io.attention4j.engine.spi.RopeSpec;

/**
 * Rotates vectors of a head to any position, and back, in float64: for methods that look at vectors
 * before their rotation or at other positions than their own.
 */
final class Rotation {
  /** Of a layer that rotates nothing. */
  static final Rotation NONE = new Rotation(new double[0], 1, false);

  private final double[] frequencies;
  private final double factor;
  private final boolean interleaved;
  private final Rotation halfSplit;

  private Rotation(double[] frequencies, double factor, boolean interleaved) {
    this.frequencies = frequencies;
    this.factor = factor;
    this.interleaved = interleaved;
    halfSplit = interleaved ? new Rotation(frequencies, factor, false) : this;
  }

  /** The rotation of a table, or none for null. */
  static Rotation of(RopeTable table) {
    return table == null
        ? NONE
        : new Rotation(
            table.frequencies(),
            table.factor(),
            table.spec().layout() == RopeSpec.Layout.INTERLEAVED);
  }

  /** The same angles for vectors whose pairs are half the rotated elements apart. */
  Rotation halfSplit() {
    return halfSplit;
  }

  /**
   * Reorders a vector from the order of these pairs to that of {@link #halfSplit}, in which gates
   * were trained.
   */
  void toHalfSplit(double[] x) {
    if (!interleaved) {
      return;
    }
    int pairs = frequencies.length;
    double[] second = new double[pairs];
    for (int i = 0; i < pairs; i++) {
      second[i] = x[2 * i + 1];
      x[i] = x[2 * i];
    }
    System.arraycopy(second, 0, x, pairs, pairs);
  }

  /** As a kernel rotates the row at this position. */
  void rotate(double[] x, long position) {
    turn(x, position, factor);
  }

  /** What was rotated to this position as it was before. */
  void unrotate(double[] x, long position) {
    turn(x, -position, 1 / factor);
  }

  /** The gradient of a vector from that of what {@link #rotate} made of it. */
  void rotateGradient(double[] x, long position) {
    turn(x, -position, factor);
  }

  private void turn(double[] x, long position, double scale) {
    int pairs = frequencies.length;
    for (int i = 0; i < pairs; i++) {
      int atA = interleaved ? 2 * i : i;
      int atB = interleaved ? 2 * i + 1 : i + pairs;
      double angle = position * frequencies[i];
      double cos = scale * Math.cos(angle);
      double sin = scale * Math.sin(angle);
      double a = x[atA];
      double b = x[atB];
      x[atA] = a * cos - b * sin;
      x[atB] = a * sin + b * cos;
    }
  }
}
