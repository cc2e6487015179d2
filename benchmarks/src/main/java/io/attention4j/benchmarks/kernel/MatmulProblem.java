package io.attention4j.benchmarks.kernel;

import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.MatmulKernel;
import io.attention4j.engine.spi.MatmulSpec;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/**
 * y = x W^T with random operands. The weights are as many copies of a matrix as exceed the caches,
 * taken in turns, since a decoder finds none of its weights in a cache.
 */
public final class MatmulProblem implements AutoCloseable {
  private static final long SEED = 42;
  private static final long BEYOND_CACHES_BYTES = 256L << 20;

  private final int rows;
  private final MatmulSpec spec;
  private final Device.TensorArena arena;
  private final List<MatmulKernel.MatmulPlan> plans = new ArrayList<>();
  private final Device device;
  private final Tensor fence;
  private final MemorySegment fenced = MemorySegment.ofArray(new float[1]);
  private final Tensor x;
  private final Tensor[] y;
  private int next;

  /**
   * Makes the operands and the plans.
   *
   * @param rows rows of x: 1 is a decoder's GEMV
   * @param outFeatures rows of a weight matrix
   * @param inFeatures columns of a weight matrix
   * @throws IllegalArgumentException if the kernels refuse the format
   */
  public MatmulProblem(
      KernelSelector kernels, DType weight, int rows, int outFeatures, int inFeatures) {
    this.rows = rows;
    spec = new MatmulSpec(weight, outFeatures, inFeatures);
    MatmulKernel kernel = kernels.select(MatmulKernel.class, spec);
    SplittableRandom random = new SplittableRandom(SEED);
    device = kernels.device();
    arena = device.newArena();
    x = arena.allocate(DType.F32, rows, inFeatures);
    y = new Tensor[] {arena.allocate(DType.F32, rows, outFeatures)};
    DeviceData.fill(device, x, memory -> RandomWeights.fill(memory, DType.F32, 1, random));
    long bytes = weight.bytes((long) outFeatures * inFeatures);
    for (long total = 0; total < BEYOND_CACHES_BYTES; total += bytes) {
      Tensor matrix = arena.allocate(weight, outFeatures, inFeatures);
      double deviation = 1 / Math.sqrt(inFeatures);
      DeviceData.fill(
          device, matrix, memory -> RandomWeights.fill(memory, weight, deviation, random));
      plans.add(kernel.plan(List.of(matrix), null));
    }
    fence = DeviceData.fence(device, arena);
  }

  /** Multiplies once, by the next matrix, and waits for it. */
  public void run() {
    plans.get(next).run(x, rows, y, false);
    if (fence != null) {
      device.download(fence, fenced);
    }
    next = next + 1 == plans.size() ? 0 : next + 1;
  }

  /** Floating-point operations of one run; a multiply-add counts as two. */
  public double flops() {
    return 2.0 * rows * spec.outFeatures() * spec.inFeatures();
  }

  /** Bytes of weights that one run reads. */
  public double bytes() {
    return plans.getFirst().weightBytes();
  }

  @Override
  public void close() {
    plans.forEach(MatmulKernel.MatmulPlan::close);
    arena.close();
  }
}
