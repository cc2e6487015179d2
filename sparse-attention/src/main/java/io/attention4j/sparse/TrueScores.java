package io.attention4j.sparse;

import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.OperatorContext;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;

/**
 * Scores of blocks in place of a gate's: logs of the largest weights that dense attention gives
 * ({@code gate=oracle}). Costs dense attention, so it shows what a perfect gate would choose, not
 * what it saves. Not thread-safe.
 */
final class TrueScores implements AutoCloseable {
  /** Name in place of a file's. */
  static final String ORACLE = "oracle";

  private final LayerShape shape;
  private final Device device;
  private final BlockAttention attention;
  private float[][] ofEntry = {}; // [queryBlock * queryHeads + head][block]

  TrueScores(LayerShape shape, OperatorContext context) {
    this.shape = shape;
    device = context.kernels().device();
    attention = new BlockAttention(shape, context.caches(), context.kernels());
  }

  /** Scores of the query block at hand for a query head, [key block]; logs of weights. */
  float[] of(QueryBlock rows, int queryBlock, int keyBlock, int queryHead) {
    // Heads and then blocks ascend, so this is where a part of a step begins.
    if (rows.head() == 0 && rows.rowInSequence() == 0) {
      attend(rows, queryBlock, keyBlock);
    }
    return ofEntry[rows.rowInSequence() / queryBlock * shape.queryHeads() + queryHead];
  }

  private void attend(QueryBlock rows, int queryBlock, int keyBlock) {
    int count = rows.partRows();
    ofEntry = new float[Math.ceilDiv(count, queryBlock) * shape.queryHeads()][];
    try (Device.TensorArena arena = device.newArena()) {
      Tensor out = arena.allocate(DType.F32, count, shape.queryHeads(), shape.valueDim());
      attention.run(
          rows.q().slice(0, rows.firstRow(), count),
          count,
          rows.firstPosition(),
          rows.pages(),
          rows.part(),
          out,
          queryBlock,
          keyBlock,
          (block, head, largest) -> {
            float[] scores = new float[largest.length];
            for (int b = 0; b < scores.length; b++) {
              scores[b] = (float) Math.log(Math.max(largest[b], Float.MIN_VALUE));
            }
            ofEntry[block * shape.queryHeads() + head] = scores;
          });
    }
  }

  @Override
  public void close() {
    attention.close();
  }
}
