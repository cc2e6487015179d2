package io.attention4j.benchmarks.jmh;

import io.attention4j.benchmarks.kernel.MatmulProblem;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.tensor.DType;
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

/** Products with a weight matrix: of one row (decoding) and of many (prefill). */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "--add-modules=jdk.incubator.vector")
public class MatmulBenchmark {
  /** Provider id, or auto. */
  @Param("auto")
  public String kernels;

  /** Compute threads; 0 = physical cores. */
  @Param("0")
  public int threads;

  /** Storage of the weights. */
  @Param({"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_K", "Q6_K"})
  public DType weight;

  /** Rows and columns of the weights: Llama-3.2-1B's attention, up and down projections. */
  @Param({"2048x2048", "8192x2048", "2048x8192"})
  public String shape;

  /** Rows of the input: 1 is a GEMV. */
  @Param({"1", "512"})
  public int rows;

  private KernelSelector selector;
  private MatmulProblem problem;

  /** Makes the operands. */
  @Setup(Level.Trial)
  public void open() {
    String[] extents = shape.split("x", 2);
    selector = Kernels.open(kernels, threads);
    problem =
        new MatmulProblem(
            selector, weight, rows, Integer.parseInt(extents[0]), Integer.parseInt(extents[1]));
  }

  /** Frees the operands. */
  @TearDown(Level.Trial)
  public void close() {
    problem.close();
    selector.close();
  }

  /** One call of the kernel. */
  @Benchmark
  public void multiply(Work work) {
    problem.run();
    work.add(problem.flops(), problem.bytes());
  }
}
