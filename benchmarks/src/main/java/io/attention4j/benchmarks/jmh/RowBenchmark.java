package io.attention4j.benchmarks.jmh;

import io.attention4j.benchmarks.kernel.RandomWeights;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.NormKernel;
import io.attention4j.engine.spi.NormSpec;
import io.attention4j.engine.spi.RopeKernel;
import io.attention4j.engine.spi.RopeSpec;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** The small kernels between the products: RMS norm and rotary embedding. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "--add-modules=jdk.incubator.vector")
public class RowBenchmark {
  private static final long SEED = 42;
  private static final float EPSILON = 1e-5f;

  /** Provider id, or auto. */
  @Param("auto")
  public String kernels;

  /** Compute threads; 0 = physical cores. */
  @Param("0")
  public int threads;

  /** Rows: 1 when decoding. */
  @Param({"1", "512"})
  public int rows;

  /** Heads of a row. */
  @Param("32")
  public int heads;

  /** Elements of a head; a row has heads x headDim. */
  @Param("64")
  public int headDim;

  private KernelSelector selector;
  private Device.TensorArena arena;
  private NormKernel norm;
  private NormSpec normSpec;
  private RopeKernel rope;
  private RopeKernel turnHalves;
  private RopeSpec interleaved;
  private RopeSpec halfSplit;
  private Tensor x;
  private Tensor weight;
  private Tensor out;
  private Tensor turned;
  private Tensor cos;
  private Tensor sin;

  /** Makes the inputs. */
  @Setup(Level.Trial)
  public void open() {
    int size = heads * headDim;
    normSpec = new NormSpec(NormSpec.Kind.RMS, size, EPSILON, 0);
    interleaved = new RopeSpec(headDim, headDim, RopeSpec.Layout.INTERLEAVED);
    halfSplit = new RopeSpec(headDim, headDim, RopeSpec.Layout.HALF_SPLIT);
    selector = Kernels.open(kernels, threads);
    norm = selector.select(NormKernel.class, normSpec);
    rope = selector.select(RopeKernel.class, interleaved);
    turnHalves = selector.select(RopeKernel.class, halfSplit);
    arena = selector.device().newArena();
    SplittableRandom random = new SplittableRandom(SEED);
    x = random(random, rows, size);
    weight = random(random, size);
    out = arena.allocate(DType.F32, rows, size);
    turned = random(random, rows, heads, headDim);
    cos = arena.allocate(DType.F32, rows, headDim / 2);
    sin = arena.allocate(DType.F32, rows, headDim / 2);
    for (int row = 0; row < rows; row++) {
      for (int i = 0; i < headDim / 2; i++) {
        // A true rotation keeps the values in range however often it is applied.
        double angle = row + i;
        cos.set((float) Math.cos(angle), row, i);
        sin.set((float) Math.sin(angle), row, i);
      }
    }
  }

  private Tensor random(SplittableRandom random, long... extents) {
    Tensor tensor = arena.allocate(DType.F32, extents);
    RandomWeights.fill(tensor.segment().asSlice(0, tensor.byteSize()), DType.F32, 1, random);
    return tensor;
  }

  /** Frees the inputs. */
  @TearDown(Level.Trial)
  public void close() {
    arena.close();
    selector.close();
  }

  /** RMS norm of all rows. */
  @Benchmark
  public void rmsNorm(Work work) {
    norm.run(normSpec, x, rows, weight, null, out);
    work.add(4.0 * rows * heads * headDim, 2.0 * x.byteSize());
  }

  /** Rotation of pairs of neighbours. */
  @Benchmark
  public void ropeInterleaved(Work work) {
    rope.run(interleaved, turned, rows, cos, sin);
    work.add(3.0 * rows * heads * headDim, 2.0 * turned.byteSize());
  }

  /** Rotation of pairs half a head apart. */
  @Benchmark
  public void ropeHalfSplit(Work work) {
    turnHalves.run(halfSplit, turned, rows, cos, sin);
    work.add(3.0 * rows * heads * headDim, 2.0 * turned.byteSize());
  }
}
