package io.attention4j.sparse;

import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.MatmulKernel;
import io.attention4j.engine.spi.MatmulSpec;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** Products of the queries of many rows with all landmarks of a sequence, on its kernels. */
final class LandmarkProducts implements AutoCloseable {
  private final LayerShape shape;
  private final int blocks;
  private final Device.TensorArena arena;
  private final List<MatmulKernel.MatmulPlan> plans = new ArrayList<>(); // of the KV heads
  private final Tensor x;
  private final Tensor products;
  private final float[][] ofHead; // [queryHead][row * blocks]

  /** For the landmarks so far and steps of at most so many rows. */
  LandmarkProducts(KernelSelector kernels, LayerShape shape, LandmarkKeys landmarks, int mostRows) {
    this.shape = shape;
    blocks = landmarks.blocks();
    arena = kernels.device().newArena();
    x = arena.allocate(DType.F32, mostRows, shape.headDim());
    products = arena.allocate(DType.F32, mostRows, blocks);
    ofHead = new float[shape.queryHeads()][mostRows * blocks];
    MatmulKernel kernel =
        kernels.select(MatmulKernel.class, new MatmulSpec(DType.F32, blocks, shape.headDim()));
    for (int h = 0; h < shape.kvHeads(); h++) {
      Tensor keys = arena.allocate(DType.F32, blocks, shape.headDim());
      int count = blocks * shape.headDim();
      MemorySegment.copy(landmarks.keys(h), 0, keys.segment(), Tensor.FLOAT, 0, count);
      plans.add(kernel.plan(List.of(keys), null));
    }
  }

  /** Multiplies rows [firstRow, firstRow + rows) of q. */
  void run(Tensor q, int firstRow, int rows) {
    int dim = shape.headDim();
    int groupSize = shape.queryHeads() / shape.kvHeads();
    long bytes = (long) dim * Float.BYTES;
    for (int h = 0; h < shape.queryHeads(); h++) {
      for (int row = 0; row < rows; row++) {
        long from = ((long) (firstRow + row) * shape.queryHeads() + h) * bytes;
        MemorySegment.copy(q.segment(), from, x.segment(), row * bytes, bytes);
      }
      plans.get(h / groupSize).run(x, rows, new Tensor[] {products}, false);
      MemorySegment.copy(products.segment(), Tensor.FLOAT, 0, ofHead[h], 0, rows * blocks);
    }
  }

  /** The product of a row of the last run with a block's landmark. */
  double of(int row, int queryHead, int block) {
    return ofHead[queryHead][row * blocks + block];
  }

  @Override
  public void close() {
    plans.forEach(MatmulKernel.MatmulPlan::close);
    arena.close();
  }
}
