package io.attention4j.sparse;

import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.MatmulKernel;
import io.attention4j.engine.spi.MatmulSpec;
import io.attention4j.engine.spi.SoftmaxKernel;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;

/**
 * Scores of the landmarks of a sequence for many rows, as products on the layer's kernels; and
 * their softmax where blocks are chosen by shares. Buffers stay for the next rows. Not thread-safe.
 */
final class LandmarkProducts {
  /** Rows that a worker copies at a time. */
  private static final int PIECE = 64;

  private final KernelSelector kernels;
  private final LayerShape shape;
  private final boolean needsShares;
  private final float[][] scores; // [queryHead][row * blocks + block]
  private final float[][] shares;
  private int blocks;

  LandmarkProducts(KernelSelector kernels, LayerShape shape, boolean needsShares) {
    this.kernels = kernels;
    this.shape = shape;
    this.needsShares = needsShares;
    scores = new float[shape.queryHeads()][0];
    shares = new float[shape.queryHeads()][0];
  }

  /**
   * Takes rows [firstRow, firstRow + rows) of q.
   *
   * @param position of the first
   * @param block tokens per landmark; a row sees those of the blocks before its own
   */
  void run(LandmarkKeys landmarks, Tensor q, int firstRow, int rows, long position, int block) {
    blocks = landmarks.blocks();
    int dim = shape.headDim();
    int groupSize = shape.queryHeads() / shape.kvHeads();
    MatmulKernel kernel =
        kernels.select(MatmulKernel.class, new MatmulSpec(DType.F32, blocks, dim));
    try (Device.TensorArena arena = kernels.device().newArena()) {
      Tensor x = arena.allocate(DType.F32, rows, dim);
      Tensor products = arena.allocate(DType.F32, rows, blocks);
      Tensor keys = arena.allocate(DType.F32, blocks, dim);
      for (int kvHead = 0; kvHead < shape.kvHeads(); kvHead++) {
        MemorySegment.copy(
            landmarks.keys(kvHead), 0, keys.segment(), Tensor.FLOAT, 0, blocks * dim);
        try (MatmulKernel.MatmulPlan plan = kernel.plan(List.of(keys), null)) {
          for (int h = kvHead * groupSize; h < (kvHead + 1) * groupSize; h++) {
            copyQueries(q, firstRow, rows, h, x);
            plan.run(x, rows, new Tensor[] {products}, false);
            scores[h] = copy(products, rows, scores[h]);
            if (needsShares) {
              hideLater(products, rows, position, block);
              kernels.select(SoftmaxKernel.class, blocks).run(products, rows, blocks, products);
              shares[h] = copy(products, rows, shares[h]);
            }
          }
        }
      }
    }
  }

  private void copyQueries(Tensor q, int firstRow, int rows, int head, Tensor x) {
    int dim = shape.headDim();
    kernels
        .device()
        .workers()
        .run(
            Math.ceilDiv(rows, PIECE),
            (piece, _) -> {
              MemorySegment from = q.segment();
              MemorySegment to = x.segment();
              for (int row = piece * PIECE; row < Math.min(rows, (piece + 1) * PIECE); row++) {
                long at = ((long) (firstRow + row) * shape.queryHeads() + head) * dim;
                for (int d = 0; d < dim; d++) {
                  float scaled = shape.scale() * from.getAtIndex(Tensor.FLOAT, at + d);
                  to.setAtIndex(Tensor.FLOAT, (long) row * dim + d, scaled);
                }
              }
            });
  }

  private float[] copy(Tensor products, int rows, float[] room) {
    int count = rows * blocks;
    float[] to = room.length < count ? new float[count] : room;
    MemorySegment.copy(products.segment(), Tensor.FLOAT, 0, to, 0, count);
    return to;
  }

  private void hideLater(Tensor products, int rows, long position, int block) {
    float[] hidden = new float[blocks];
    Arrays.fill(hidden, Float.NEGATIVE_INFINITY);
    for (int row = 0; row < rows; row++) {
      int earlier = (int) Math.min(blocks, (position + row) / block);
      long to = ((long) row * blocks + earlier) * Float.BYTES;
      MemorySegment.copy(hidden, 0, products.segment(), Tensor.FLOAT, to, blocks - earlier);
    }
  }

  /** The scaled score of a row for a block. */
  float score(int row, int queryHead, int block) {
    return scores[queryHead][row * blocks + block];
  }

  /** Copies what a row chooses the first blocks by: their scores, or their softmax. */
  void copy(int row, int queryHead, float[] to, int count) {
    float[] from = (needsShares ? shares : scores)[queryHead];
    System.arraycopy(from, row * blocks, to, 0, count);
  }
}
