package io.attention4j.sparse;

import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.attention.ScoreModifier;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.tensor.Tensor;
import java.util.Arrays;

/**
 * Attention weights of one query head, recomputed from the kernel's log sums of exponentials: exp(x
 * - lse). A key meets a block of rows at a time, in an inner loop over rows. Not thread-safe.
 */
final class HeadWeights {
  /** Rows of a block. */
  static final int ROWS = 64;

  private final LayerShape shape;
  private final float[] columns; // [headDim][row]
  private final float[] dots = new float[ROWS];
  private final double[] lse = new double[ROWS];
  private final double[] weights = new double[ROWS];
  private int head;
  private int rows;
  private long firstPosition;

  HeadWeights(LayerShape shape) {
    this.shape = shape;
    columns = new float[shape.headDim() * ROWS];
  }

  /**
   * Takes a block of rows.
   *
   * @param q F32 [.., queryHeads, headDim], rotated, contiguous
   * @param lseOfRows F32 [.., queryHeads], contiguous
   * @param count at most {@link #ROWS}
   */
  void rows(Tensor q, Tensor lseOfRows, int firstRow, int count, long position, int queryHead) {
    int dim = shape.headDim();
    for (int row = 0; row < count; row++) {
      long pair = (long) (firstRow + row) * shape.queryHeads() + queryHead;
      for (int d = 0; d < dim; d++) {
        columns[d * ROWS + row] = q.segment().getAtIndex(Tensor.FLOAT, pair * dim + d);
      }
      lse[row] = lseOfRows.segment().getAtIndex(Tensor.FLOAT, pair);
    }
    head = queryHead;
    rows = count;
    firstPosition = position;
  }

  /** Weights of the rows on a key, 0 where they do not see it; valid until the next call. */
  double[] of(float[] key, long keyPosition) {
    Arrays.fill(dots, 0, rows, 0);
    for (int d = 0; d < key.length; d++) {
      float factor = key[d];
      int at = d * ROWS;
      for (int row = 0; row < rows; row++) {
        dots[row] += factor * columns[at + row];
      }
    }
    for (int row = 0; row < rows; row++) {
      long distance = firstPosition + row - keyPosition;
      weights[row] = sees(distance) ? Math.exp(score(dots[row], distance) - lse[row]) : 0;
    }
    return weights;
  }

  private boolean sees(long distance) {
    return switch (shape.mask()) {
      case Mask.All all -> true;
      case Mask.Window window -> distance >= 0 && distance <= window.left();
      default -> distance >= 0;
    };
  }

  private double score(float dot, long distance) {
    double score = shape.scale() * (double) dot;
    for (int i = 0; i < shape.modifiers().size(); i++) {
      ScoreModifier modifier = shape.modifiers().get(i);
      if (modifier instanceof ScoreModifier.SoftCap cap) {
        score = cap.cap() * Math.tanh(score / cap.cap());
      } else if (modifier instanceof ScoreModifier.Alibi alibi) {
        score -= alibi.slopes().get(head) * (double) Math.abs(distance);
      }
    }
    return score;
  }
}
