package io.attention4j.sparse;

import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.runtime.Parallel;
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
 * kernels, of vectors that its workers read. Not thread-safe.
 */
final class CentroidProducts implements AutoCloseable {
  /** Vectors of one product: their similarities fit a core's cache. */
  static final int ROWS = 512;

  /** Vectors that a worker reads at a time. */
  private static final int PIECE = 32;

  private final KernelSelector kernels;
  private final Centroids centroids;
  private final RoutingAttention.Norm norm;
  private final int dim;
  private final int clusters;
  private final List<MatmulKernel.MatmulPlan> plans = new ArrayList<>(); // of the heads
  private final Device.TensorArena arena;
  private final Tensor x;
  private final Tensor products;
  private Device.TensorArena weights;
  private int version = -1;

  CentroidProducts(
      KernelSelector kernels,
      Centroids centroids,
      RoutingAttention.Norm norm,
      int clusters,
      int dim) {
    this.kernels = kernels;
    this.centroids = centroids;
    this.norm = norm;
    this.clusters = clusters;
    this.dim = dim;
    arena = kernels.device().newArena();
    x = arena.allocate(DType.F32, ROWS, dim);
    products = arena.allocate(DType.F32, ROWS, clusters);
  }

  /** Vectors of a head by token, as the cache has them; read by several threads. */
  @FunctionalInterface
  interface Vectors {
    /** Writes the vectors of tokens [first, first + count) to an array, one after the other. */
    void read(int first, int count, float[] to);
  }

  Parallel workers() {
    return kernels.device().workers();
  }

  /**
   * Writes the similarities of at most {@link #ROWS} tokens to scores, [token][cluster] from an
   * index on.
   */
  void run(int head, int first, int count, Vectors vectors, float[] scores, int at) {
    bind();
    workers()
        .run(
            Math.ceilDiv(count, PIECE),
            (piece, _) -> {
              int from = piece * PIECE;
              int rows = Math.min(PIECE, count - from);
              float[] read = new float[rows * dim];
              vectors.read(first + from, rows, read);
              if (norm == RoutingAttention.Norm.UNIT) {
                for (int i = 0; i < read.length; i += dim) {
                  norm.apply(read, i, dim);
                }
              }
              long to = (long) from * dim * Float.BYTES;
              MemorySegment.copy(read, 0, x.segment(), Tensor.FLOAT, to, read.length);
            });
    plans.get(head).run(x, count, new Tensor[] {products}, false);
    MemorySegment.copy(products.segment(), Tensor.FLOAT, 0, scores, at, count * clusters);
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
