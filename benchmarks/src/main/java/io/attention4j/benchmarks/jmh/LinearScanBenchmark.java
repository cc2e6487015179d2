package io.attention4j.benchmarks.jmh;

import io.attention4j.benchmarks.recurrent.ScanKind;
import io.attention4j.benchmarks.recurrent.ScanProblem;
import io.attention4j.engine.runtime.KernelSelector;
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

/** Linear operators: prefill in chunks, and one token on the state. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "--add-modules=jdk.incubator.vector")
public class LinearScanBenchmark {
  /** Provider id, or auto. */
  @Param("auto")
  public String kernels;

  /** Compute threads; 0 = physical cores. */
  @Param("0")
  public int threads;

  /** Operator. */
  @Param({"GLA", "SSD", "GDN", "KDA", "RWKV7"})
  public ScanKind operator;

  /** Heads, each with its own state. */
  @Param("8")
  public int heads;

  /** Elements of a key and of a value. */
  @Param("128")
  public int dim;

  /** Tokens of prefill. */
  @Param("2048")
  public int tokens;

  private KernelSelector selector;
  private ScanProblem problem;

  /** Makes the inputs. */
  @Setup(Level.Trial)
  public void open() {
    selector = Kernels.open(kernels, threads);
    problem = new ScanProblem(selector, operator, heads, dim, tokens);
  }

  /** Frees the inputs. */
  @TearDown(Level.Trial)
  public void close() {
    problem.close();
    selector.close();
  }

  /** All tokens. */
  @Benchmark
  public void prefill(Work work) {
    problem.run();
    work.add(operator.flops(heads, dim, tokens), 0);
  }

  /** One token. */
  @Benchmark
  public void decode(Work work) {
    problem.step();
    work.add(0, ScanKind.stateBytes(heads, dim));
  }
}
