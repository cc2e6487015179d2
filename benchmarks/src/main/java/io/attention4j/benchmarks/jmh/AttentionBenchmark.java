package io.attention4j.benchmarks.jmh;

import io.attention4j.benchmarks.kernel.AttentionCase;
import io.attention4j.benchmarks.kernel.AttentionProblem;
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

/** Prefill attention of one sequence over itself. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "--add-modules=jdk.incubator.vector")
public class AttentionBenchmark {
  /** Provider id, or auto. */
  @Param("auto")
  public String kernels;

  /** Compute threads; 0 = physical cores. */
  @Param("0")
  public int threads;

  /** Query and KV heads. */
  @Param("8")
  public int heads;

  /** Elements of a head. */
  @Param({"64", "128"})
  public int headDim;

  /** Tokens. */
  @Param({"512", "1024", "2048", "4096", "8192"})
  public int length;

  /** full or causal. */
  @Param({"full", "causal"})
  public String mask;

  /** softmax or sigmoid. */
  @Param("softmax")
  public String normalizer;

  /** Of keys and values: f32, f16, bf16 or q8. */
  @Param("f32")
  public String format;

  /** Share of the 128 x 128 blocks left out at random; only with the full mask. */
  @Param("0")
  public double sparsity;

  private KernelSelector selector;
  private AttentionProblem problem;

  /** Makes the inputs. */
  @Setup(Level.Trial)
  public void open() {
    AttentionCase kind =
        AttentionCase.prefill(heads, headDim, length, mask.equals("causal"))
            .format(Kernels.format(format));
    if (normalizer.equals("sigmoid")) {
      kind = kind.sigmoid();
    }
    if (sparsity > 0) {
      kind = kind.sparse(sparsity);
    }
    selector = Kernels.open(kernels, threads);
    problem = new AttentionProblem(selector, kind);
  }

  /** Frees the inputs. */
  @TearDown(Level.Trial)
  public void close() {
    problem.close();
    selector.close();
  }

  /** One call of the kernel. */
  @Benchmark
  public void prefill(Work work) {
    problem.run();
    work.add(problem.kind().flops(), problem.kind().bytes());
  }
}
