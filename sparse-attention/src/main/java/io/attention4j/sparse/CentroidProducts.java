package io.attention4j.sparse;

import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.MatmulKernel;
import io.attention4j.engine.spi.MatmulSpec;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * Similarities of many vectors with the centroids of a head: a matrix product on the layer's
 * kernels. Not thread-safe.
 */
final class CentroidProducts implements AutoCloseable {
  /** Vectors of one product. */
  static final int ROWS = 512;

  private final KernelSelector kernels;
  private final Centroids centroids;
  private final int dim;
  private final int clusters;
  private final List<MatmulKernel.MatmulPlan> plans = new ArrayList<>(); // of the heads
  private final Device.TensorArena arena;
  private final Tensor x;
  private final Tensor products;
  private final float[] vectors;
  private Device.TensorArena weights;
  private int version = -1;

  CentroidProducts(KernelSelector kernels, Centroids centroids, int clusters, int dim) {
    this.kernels = kernels;
    this.centroids = centroids;
    this.clusters = clusters;
    this.dim = dim;
    arena = kernels.device().newArena();
    x = arena.allocate(DType.F32, ROWS, dim);
    products = arena.allocate(DType.F32, ROWS, clusters);
    vectors = new float[ROWS * dim];
  }

  /** Sets vector {@code row} of the next {@link #run}, below {@link #ROWS}; normalised. */
  void set(int row, double[] vector) {
    for (int d = 0; d < dim; d++) {
      vectors[row * dim + d] = (float) vector[d];
    }
  }

  /** Writes the similarities of the first rows to scores, [row][cluster] from an index on. */
  void run(int head, int rows, float[] scores, int at) {
    bind();
    MemorySegment.copy(vectors, 0, x.segment(), Tensor.FLOAT, 0, rows * dim);
    plans.get(head).run(x, rows, new Tensor[] {products}, false);
    MemorySegment.copy(products.segment(), Tensor.FLOAT, 0, scores, at, rows * clusters);
  }

  /** Learning moves centroids. */
  private void bind() {
    if (version == centroids.version()) {
      return;
    }
    release();
    weights = kernels.device().newArena();
    MatmulKernel kernel =
        kernels.select(MatmulKernel.class, new MatmulSpec(DType.F32, clusters, dim));
    for (int h = 0; h < centroids.heads(); h++) {
      Tensor means = weights.allocate(DType.F32, clusters, dim);
      for (int i = 0; i < clusters * dim; i++) {
        means.segment().setAtIndex(Tensor.FLOAT, i, centroids.mean(h, i));
      }
      plans.add(kernel.plan(List.of(means), null));
    }
    version = centroids.version();
  }

  private void release() {
    plans.forEach(MatmulKernel.MatmulPlan::close);
    plans.clear();
    if (weights != null) {
      weights.close();
    }
  }

  @Override
  public void close() {
    release();
    arena.close();
  }
}
