package io.attention4j.benchmarks.sparse;

import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.DeviceOptions;
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

/** One causal layer of an attention operator: all rows of a sequence, or the last one. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 2, time = 1)
@Measurement(iterations = 3, time = 1)
@Fork(value = 1, jvmArgsAppend = "--add-modules=jdk.incubator.vector")
public class SparseOperatorBenchmark {
  /** Provider id, or auto. */
  @Param("auto")
  public String kernels;

  /** Compute threads; 0 = physical cores. */
  @Param("0")
  public int threads;

  /** Option of the operator. */
  @Param({
    "softmax",
    "window",
    "sink-window",
    "longformer",
    "bigbird",
    "block-topk",
    "prflash",
    "lsg",
    "hyper",
    "combiner:type=fixed",
    "combiner:type=logsparse",
    "combiner:type=axial",
    "combiner:type=rowmajor"
  })
  public String attention;

  /** Query and KV heads. */
  @Param("8")
  public int heads;

  /** Elements of a head. */
  @Param("128")
  public int headDim;

  /** Tokens. */
  @Param({"1024", "2048", "4096", "8192", "16384", "32768", "65536", "131072"})
  public int length;

  /** Of the cache: f32, f16, bf16 or q8. */
  @Param({"f32", "f16"})
  public String format;

  private KernelSelector selector;
  private LayerData data;
  private LayerRun run;

  /** Makes the inputs. */
  @Setup(Level.Trial)
  public void open() {
    selector = KernelSelector.open(kernels, new DeviceOptions(threads));
    data = LayerData.random(selector.device(), length, heads, heads, headDim, 42);
    run = new LayerRun(selector, data, attention, format, true);
  }

  /** Frees the inputs. */
  @TearDown(Level.Trial)
  public void close() {
    run.close();
    data.close();
    selector.close();
  }

  /** All rows in one step. */
  @Benchmark
  public void prefill() {
    run.prefill();
  }

  /** The last row. */
  @Benchmark
  public void decode() {
    run.decode();
  }
}
