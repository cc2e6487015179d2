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
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.SplittableRandom;
import jdk.incubator.vector.FloatVector;

/**
 * A quick look at the speed of the attention kernel beside a probe of the FMA peak; no benchmark:
 * the best of some runs, both sides taken in turns. Arguments: head dim, threads, keys...
 */
final class AttentionTiming {
  private static final int HEADS = 8;
  private static final int RUNS = 12;
  private static final ThreadMXBean CLOCK = ManagementFactory.getThreadMXBean();

  private AttentionTiming() {}

  public static void main(String[] args) {
    int dim = Integer.parseInt(args[0]);
    int threads = Integer.parseInt(args[1]);
    try (Parallel workers = new WorkerPool(threads)) {
      for (int i = 2; i < args.length; i++) {
        int keys = Integer.parseInt(args[i]);
        prefill(workers, dim, keys, "full", new Mask.All(), new Normalizer.Softmax());
        prefill(workers, dim, keys, "causal", new Mask.Causal(), new Normalizer.Softmax());
        Normalizer sigmoid = new Normalizer.Sigmoid((float) -Math.log(keys));
        prefill(workers, dim, keys, "full sigmoid", new Mask.All(), sigmoid);
        decode(workers, dim, 8 * keys, 1);
        decode(workers, dim, 8 * keys, 4);
      }
    }
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

  private static void decode(Parallel workers, int dim, int keys, int group) {
    AttentionSpec spec =
        AttentionSpec.builder(HEADS * group, HEADS, dim)
            .formats(KvFormat.F16, KvFormat.F16)
            .build();
    double bytes = 2.0 * 2 * HEADS * keys * dim;
    try (Arena arena = Arena.ofShared();
        AttentionPlan plan = new SimdAttention(workers).plan(spec)) {
      Problem problem = problem(arena, spec, 1, keys);
      double best = 0;
      double read = 0;
      for (int run = 0; run < RUNS; run++) {
        read = Math.max(read, readProbe(workers, problem));
        long start = now(workers);
        for (int i = 0; i < 4; i++) {
          plan.run(problem.batch, problem.inputs, problem.outputs);
        }
        best = Math.max(best, 4 * bytes / (now(workers) - start));
      }
      System.out.printf(
          "decode F16 D=%d N=%d group %d: %.1f GB/s, read probe %.1f, %.1f GFLOP/s%n",
          dim, keys, group, best, read, best * group);
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
    MemorySegment memory = arena.allocate(2 * bytes * spec.kvHeads(), 64);
    boolean half = spec.keyFormat().equals(KvFormat.F16);
    for (long i = 0; i < memory.byteSize() / (half ? 2 : 4); i++) {
      float x = (float) random.nextGaussian();
      if (half) {
        memory.setAtIndex(Tensor.SHORT, i, Float.floatToFloat16(x));
      } else {
        memory.setAtIndex(Tensor.FLOAT, i, x);
      }
    }
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
