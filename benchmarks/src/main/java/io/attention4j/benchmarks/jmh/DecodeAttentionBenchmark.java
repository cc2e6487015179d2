package io.attention4j.benchmarks.jmh;

import io.attention4j.benchmarks.kernel.AttentionCase;
import io.attention4j.benchmarks.kernel.AttentionProblem;
import io.attention4j.engine.runtime.KernelSelector;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
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

/** Attention of one new token per sequence over a long cache. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "--add-modules=jdk.incubator.vector")
public class DecodeAttentionBenchmark {
  /** Provider id, or auto. */
  @Param("auto")
  public String kernels;

  /** Compute threads; 0 = physical cores. */
  @Param("0")
  public int threads;

  /** Query heads. */
  @Param("32")
  public int queryHeads;

  /** KV heads. */
  @Param("8")
  public int kvHeads;

  /** Elements of a head. */
  @Param({"64", "128"})
  public int headDim;

  /** Keys of the long sequence. */
  @Param("65536")
  public int keys;

  /** Sequences of 512 keys beside it. */
  @Param({"0", "7"})
  public int shortSequences;

  /** Of keys and values: f32, f16, bf16 or q8. */
  @Param("f16")
  public String format;

  private KernelSelector selector;
  private AttentionProblem problem;

  /** Makes the inputs. */
  @Setup(Level.Trial)
  public void open() {
    List<Integer> lengths = new ArrayList<>(List.of(keys));
    lengths.addAll(Collections.nCopies(shortSequences, 512));
    selector = Kernels.open(kernels, threads);
    problem =
        new AttentionProblem(
            selector,
            AttentionCase.decode(queryHeads, kvHeads, headDim, Kernels.format(format), lengths));
  }

  /** Frees the inputs. */
  @TearDown(Level.Trial)
  public void close() {
    problem.close();
    selector.close();
  }

  /** One call of the kernel. */
  @Benchmark
  public void decode(Work work) {
    problem.run();
    work.add(problem.kind().flops(), problem.kind().bytes());
  }
}
