package io.attention4j.sparse;

import java.util.Arrays;
import java.util.SplittableRandom;

/**
 * Angular locality-sensitive hashing (HyperAttention, arXiv 2310.05869): the signs of r random
 * projections, numbered so that neighbouring buckets differ in one sign. Not thread-safe.
 */
final class AngularLsh {
  private final int dim;
  private final int projectionCount;
  private final double[] projections; // [dim][r]
  private final double[] dots; // [r]
  private final int[] bucketOfCode;

  AngularLsh(int dim, int projectionCount, long seed) {
    this.dim = dim;
    this.projectionCount = projectionCount;
    dots = new double[projectionCount];
    projections = new double[projectionCount * dim];
    SplittableRandom random = new SplittableRandom(seed);
    for (int i = 0; i < projections.length; i++) {
      projections[i] = random.nextGaussian();
    }
    bucketOfCode = bucketsOfCodes(projectionCount);
  }

  /**
   * Place of each code in the reflected Gray sequence: G_1 = [0, 1]; G_(t+1) = G_t followed by the
   * reverse of G_t plus 2^t. The authors' program takes G[code] for the bucket, which is the
   * inverse and, from three signs on, puts codes side by side that differ in more than one.
   */
  static int[] bucketsOfCodes(int bits) {
    int[] gray = new int[1 << bits];
    for (int size = 1; size < gray.length; size *= 2) {
      for (int i = 0; i < size; i++) {
        gray[size + i] = gray[size - 1 - i] + size;
      }
    }
    int[] buckets = new int[gray.length];
    for (int place = 0; place < gray.length; place++) {
      buckets[gray[place]] = place;
    }
    return buckets;
  }

  /** Number of buckets. */
  int buckets() {
    return bucketOfCode.length;
  }

  /** Bucket of the vector at an offset. */
  int bucket(float[] vectors, int at) {
    // Side by side, which is what the JIT makes vectors of.
    Arrays.fill(dots, 0);
    for (int d = 0; d < dim; d++) {
      double x = vectors[at + d];
      int row = d * projectionCount;
      for (int t = 0; t < projectionCount; t++) {
        dots[t] += x * projections[row + t];
      }
    }
    int code = 0;
    for (int t = 0; t < projectionCount; t++) {
      code |= dots[t] > 0 ? 1 << t : 0;
    }
    return bucketOfCode[code];
  }

  /** The numbers from .. to - 1 in the order of their buckets, stable (counting sort). */
  int[] sorted(short[] bucketOf, int from, int to) {
    int[] next = new int[buckets() + 1];
    for (int i = from; i < to; i++) {
      next[bucketOf[i] + 1]++;
    }
    for (int b = 1; b < next.length; b++) {
      next[b] += next[b - 1];
    }
    int[] order = new int[to - from];
    for (int i = from; i < to; i++) {
      order[next[bucketOf[i]]++] = i;
    }
    return order;
  }
}
