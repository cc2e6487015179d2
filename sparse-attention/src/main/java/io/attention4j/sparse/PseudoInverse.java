package io.attention4j.sparse;

/**
 * The iterative pseudo-inverse of Nystromformer (arXiv 2102.03902, section 3.2, after Razavi et al.
 * 2014): Z' = Z (13 I - A Z (15 I - A Z (7 I - A Z))) / 4 from Z = A^T / (|A|_1 |A|_inf).
 */
final class PseudoInverse {
  private PseudoInverse() {}

  /** Of a square matrix. */
  static double[][] of(double[][] a, int iterations) {
    int n = a.length;
    double mostInRow = 0;
    double[] columns = new double[n];
    for (double[] row : a) {
      double sum = 0;
      for (int j = 0; j < n; j++) {
        sum += Math.abs(row[j]);
        columns[j] += Math.abs(row[j]);
      }
      mostInRow = Math.max(mostInRow, sum);
    }
    double mostInColumn = 0;
    for (double sum : columns) {
      mostInColumn = Math.max(mostInColumn, sum);
    }
    double[][] z = new double[n][n];
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) {
        z[i][j] = a[j][i] / (mostInRow * mostInColumn);
      }
    }
    for (int step = 0; step < iterations; step++) {
      double[][] az = times(a, z);
      double[][] inner = minus(7, az);
      inner = minus(15, times(az, inner));
      inner = minus(13, times(az, inner));
      z = times(z, inner);
      for (double[] row : z) {
        for (int j = 0; j < n; j++) {
          row[j] /= 4;
        }
      }
    }
    return z;
  }

  /** c I - m. */
  private static double[][] minus(double c, double[][] m) {
    double[][] result = new double[m.length][m.length];
    for (int i = 0; i < m.length; i++) {
      for (int j = 0; j < m.length; j++) {
        result[i][j] = (i == j ? c : 0) - m[i][j];
      }
    }
    return result;
  }

  private static double[][] times(double[][] a, double[][] b) {
    int n = a.length;
    double[][] product = new double[n][n];
    for (int i = 0; i < n; i++) {
      double[] row = product[i];
      for (int k = 0; k < n; k++) {
        double factor = a[i][k];
        double[] other = b[k];
        for (int j = 0; j < n; j++) {
          row[j] += factor * other[j];
        }
      }
    }
    return product;
  }
}
