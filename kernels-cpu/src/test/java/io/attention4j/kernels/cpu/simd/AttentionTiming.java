package io.attention4j.kernels.cpu.simd;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.AttentionInputs;
import io.attention4j.engine.attention.AttentionOutputs;
import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.attention.Normalizer;
import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.attention.Selection;
import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.runtime.WorkerPool;
import io.attention4j.engine.spi.AttentionPlan;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Storage;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.memory.HugePages;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.SplittableRandom;
import jdk.incubator.vector.FloatVector;

/**
 * A quick look at the speed of the attention kernel beside a probe of the FMA peak; no benchmark:
 * the best of some runs, both sides taken in turns. Arguments: prefill, head dim, threads, keys; or
 * decode, head dim, threads, keys, rows of a group, format.
 */
final class AttentionTiming {
  private static final int HEADS = 8;
  private static final int RUNS = 12;

  /** Wall time, since the JIT may wait for a processor. */
  private static final long DECODE_NANOS = 4_000_000_000L;

  private static final ThreadMXBean CLOCK = ManagementFactory.getThreadMXBean();

  private AttentionTiming() {}

  public static void main(String[] args) {
    int dim = Integer.parseInt(args[1]);
    int threads = Integer.parseInt(args[2]);
    int keys = Integer.parseInt(args[3]);
    try (Parallel workers = new WorkerPool(threads)) {
      switch (args[0]) {
        case "prefill" -> {
          prefill(workers, dim, keys, "full", new Mask.All(), new Normalizer.Softmax());
          prefill(workers, dim, keys, "causal", new Mask.Causal(), new Normalizer.Softmax());
          Normalizer sigmoid = new Normalizer.Sigmoid((float) -Math.log(keys));
          prefill(workers, dim, keys, "full sigmoid", new Mask.All(), sigmoid);
        }
        case "decode" -> decode(workers, dim, keys, Integer.parseInt(args[4]), args[5]);
        default -> throw new IllegalArgumentException(args[0] + " is not prefill or decode");
      }
    }
  }

  private static KvFormat format(String name) {
    return switch (name) {
      case "F32" -> KvFormat.F32;
      case "F16" -> KvFormat.F16;
      case "BF16" -> KvFormat.BF16;
      case "Q8" -> KvFormat.Q8;
      case "Q4" -> KvFormat.Q4;
      default -> throw new IllegalArgumentException(name + " is not F32, F16, BF16, Q8 or Q4");
    };
  }

  private static long now(Parallel workers) {
    return workers.threads() == 1 ? CLOCK.getCurrentThreadCpuTime() : System.nanoTime();
  }

  private static void prefill(
      Parallel workers, int dim, int keys, String name, Mask mask, Normalizer normalizer) {
    AttentionSpec spec =
        AttentionSpec.builder(HEADS, HEADS, dim).mask(mask).normalizer(normalizer).build();
    double flops = 4.0 * HEADS * keys * keys * dim * (mask instanceof Mask.Causal ? 0.5 : 1);
    double peak = 0;
    try (Arena arena = Arena.ofShared();
        AttentionPlan plan = new SimdAttention(workers).plan(spec)) {
      Problem problem = problem(arena, spec, keys, keys);
      double best = 0;
      for (int run = 0; run < RUNS; run++) {
        peak = Math.max(peak, fmaPeak(workers));
        long start = now(workers);
        plan.run(problem.batch, problem.inputs, problem.outputs);
        best = Math.max(best, flops / (now(workers) - start));
      }
      System.out.printf(
          "prefill %s D=%d N=%d: %.1f GFLOP/s, %.1f%% of the FMA peak %.1f%n",
          name, dim, keys, best, 100 * best / peak, peak);
    }
  }

  private static void decode(Parallel workers, int dim, int keys, int group, String name) {
    KvFormat format = format(name);
    AttentionSpec spec =
        AttentionSpec.builder(HEADS * group, HEADS, dim).formats(format, format).build();
    double bytes = 2.0 * HEADS * format.pageBytes(keys, dim);
    double flops = 4.0 * HEADS * group * keys * dim;
    try (Arena arena = Arena.ofShared();
        AttentionPlan plan = new SimdAttention(workers).plan(spec)) {
      Problem problem = problem(arena, spec, 1, keys);
      double best = Double.POSITIVE_INFINITY;
      double read = 0;
      double peak = 0;
      long until = System.nanoTime() + DECODE_NANOS;
      while (System.nanoTime() < until) {
        read = Math.max(read, readProbe(workers, problem));
        peak = Math.max(peak, fmaPeak(workers));
        long start = now(workers);
        plan.run(problem.batch, problem.inputs, problem.outputs);
        best = Math.min(best, now(workers) - start);
      }
      double bound = Math.max(bytes / read, flops / peak);
      System.out.printf(
          "decode %s D=%d N=%d group %d: %.1f ns a key and KV head, %.1f GB/s of %.1f,"
              + " %.1f GFLOP/s of %.1f: %.0f%% of the bound%n",
          name,
          dim,
          keys,
          group,
          best / HEADS / keys,
          bytes / best,
          read,
          flops / best,
          peak,
          100 * bound / best);
    }
  }

  private record Problem(
      AttentionBatch batch,
      AttentionInputs inputs,
      AttentionOutputs outputs,
      MemorySegment pages) {}

  private static Problem problem(Arena arena, AttentionSpec spec, int rows, int keys) {
    SplittableRandom random = new SplittableRandom(1);
    Tensor q = Tensor.allocate(arena, DType.F32, rows, spec.queryHeads(), spec.headDim());
    for (long i = 0; i < q.shape().elements(); i++) {
      q.segment().setAtIndex(Tensor.FLOAT, i, (float) random.nextGaussian());
    }
    long bytes = spec.keyFormat().pageBytes(keys, spec.headDim());
    MemorySegment memory = HugePages.allocate(arena, 2 * bytes * spec.kvHeads());
    fill(memory, spec.keyFormat(), random);
    PagedKv kv = new PagedKv(spec.kvHeads());
    kv.reset(1);
    Storage storage = new Storage.Host(memory);
    for (int h = 0; h < spec.kvHeads(); h++) {
      KvPage page =
          new KvPage(
              keys,
              storage,
              2 * h * bytes,
              spec.keyFormat(),
              spec.headDim(),
              storage,
              (2 * h + 1) * bytes,
              spec.valueFormat(),
              spec.valueDim());
      page.length(keys);
      kv.set(0, h, new KvPage[] {page}, 1);
    }
    AttentionBatch batch = new AttentionBatch();
    batch.add(rows, keys - rows);
    Tensor out = Tensor.allocate(arena, DType.F32, rows, spec.queryHeads(), spec.valueDim());
    return new Problem(
        batch, new AttentionInputs(q, kv, Selection.NONE), new AttentionOutputs(out, null), memory);
  }

  /** Gaussian numbers; the scales of Q8 pages are random bits of small floats like the codes. */
  private static void fill(MemorySegment memory, KvFormat format, SplittableRandom random) {
    short[] half = new short[1 << 16];
    float[] plain = new float[1 << 16];
    for (int i = 0; i < plain.length; i++) {
      plain[i] = (float) random.nextGaussian();
      half[i] =
          format.equals(KvFormat.F16)
              ? Float.floatToFloat16(plain[i])
              : (short) (Float.floatToRawIntBits(plain[i]) >> 16);
    }
    boolean wide = format.equals(KvFormat.F32);
    long step = (wide ? 4L : 2L) << 16;
    for (long at = 0; at < memory.byteSize(); at += step) {
      int count = (int) Math.min(1 << 16, (memory.byteSize() - at) * (1 << 16) / step);
      if (wide) {
        MemorySegment.copy(plain, 0, memory, Tensor.FLOAT, at, count);
      } else {
        MemorySegment.copy(half, 0, memory, Tensor.SHORT, at, count);
      }
    }
  }

  private static final float[] SINK = new float[1024];

  private static double fmaPeak(Parallel workers) {
    int steps = 4_000_000;
    long start = now(workers);
    workers.run(workers.threads(), (index, worker) -> SINK[worker * 16] += chains(steps));
    double flops = 2.0 * 8 * Species.LANES * steps * workers.threads();
    return flops / (now(workers) - start);
  }

  private static float chains(int steps) {
    FloatVector x = FloatVector.broadcast(Species.FLOAT, 1e-3f);
    FloatVector y = FloatVector.broadcast(Species.FLOAT, 0.999f);
    FloatVector a = x;
    FloatVector b = x;
    FloatVector c = x;
    FloatVector d = x;
    FloatVector e = x;
    FloatVector f = x;
    FloatVector g = x;
    FloatVector h = x;
    for (int i = 0; i < steps; i++) {
      a = a.fma(y, x);
      b = b.fma(y, x);
      c = c.fma(y, x);
      d = d.fma(y, x);
      e = e.fma(y, x);
      f = f.fma(y, x);
      g = g.fma(y, x);
      h = h.fma(y, x);
    }
    return a.add(b).add(c).add(d).add(e).add(f).add(g).add(h).lane(0);
  }

  private static double readProbe(Parallel workers, Problem problem) {
    long piece = 1 << 20;
    int pieces = (int) (problem.pages.byteSize() / piece);
    long start = now(workers);
    workers.run(
        pieces, (index, worker) -> SINK[worker * 16] += sum(problem.pages, index * piece, piece));
    return (double) pieces * piece / (now(workers) - start);
  }

  private static float sum(MemorySegment memory, long from, long bytes) {
    FloatVector a = FloatVector.zero(Species.FLOAT);
    FloatVector b = a;
    long step = Species.BITS / 8;
    for (long at = from; at < from + bytes; at += 2 * step) {
      a = a.add(FloatVector.fromMemorySegment(Species.FLOAT, memory, at, Tensor.FLOAT.order()));
      b =
          b.add(
              FloatVector.fromMemorySegment(
                  Species.FLOAT, memory, at + step, Tensor.FLOAT.order()));
    }
    return a.add(b).lane(0);
  }
}
