package io.attention4j.benchmarks.measure;

import java.util.Arrays;

/** Medians: what a shared machine leaves of a mean is mostly its neighbours. */
public final class Statistics {
  private Statistics() {}

  /**
   * The middle value, or the mean of the two middle ones.
   *
   * @throws IllegalArgumentException if there is no value, or one is NaN
   */
  public static double median(double... values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted); // NaN comes last
    if (sorted.length == 0 || Double.isNaN(sorted[sorted.length - 1])) {
      throw new IllegalArgumentException("no median of " + Arrays.toString(values));
    }
    int middle = sorted.length / 2;
    return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }

  /**
   * The median of a[i] / b[i]. Neighbours in time share the state of the machine, so this moves far
   * less than the quotient of two medians.
   *
   * @throws IllegalArgumentException if the lengths differ or are 0
   */
  public static double medianOfRatios(double[] a, double[] b) {
    if (a.length != b.length) {
      throw new IllegalArgumentException(a.length + " values do not pair with " + b.length);
    }
    double[] ratios = new double[a.length];
    for (int i = 0; i < a.length; i++) {
      ratios[i] = a[i] / b[i];
    }
    return median(ratios);
  }
}
