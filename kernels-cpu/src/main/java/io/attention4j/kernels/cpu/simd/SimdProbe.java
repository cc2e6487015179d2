package io.attention4j.kernels.cpu.simd;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.spi.ProbeKernel;
import io.attention4j.engine.spi.Support;
import io.attention4j.kernels.cpu.memory.HugePages;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.time.Duration;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/** The machine's limits, measured with the same vectors and threads that the kernels use. */
final class SimdProbe implements ProbeKernel {
  /** Beyond every cache. */
  private static final long READ_BYTES = 512L << 20;

  /** Pieces are short so that the JIT compiles the loops within the first few. */
  private static final long READ_PIECE_BYTES = 8L << 20;

  private static final long LEAST_PAGE_BYTES = 4096;

  /**
   * Streams per thread; with 4 KB pages one alone does not keep enough cache lines in flight, and
   * eight are slower again. With huge pages one would do as well.
   */
  private static final int STREAMS = 4;

  private static final int FMA_STEPS = 1 << 14;
  private static final int FMA_PIECES_PER_THREAD = 8;
  private static final int FMA_CHAINS = 12;

  private final Parallel workers;

  SimdProbe(Parallel workers) {
    this.workers = workers;
  }

  @Override
  public Support supports(Limit limit) {
    return Support.YES;
  }

  @Override
  public double measure(Limit limit, Duration duration) {
    return switch (limit) {
      case READ_BANDWIDTH -> readBandwidth(duration);
      case FMA_PEAK -> fmaPeak(duration);
    };
  }

  private double readBandwidth(Duration duration) {
    int pieces = (int) (READ_BYTES / READ_PIECE_BYTES);
    float[] sink = new float[pieces];
    try (Arena arena = Arena.ofShared()) {
      MemorySegment memory = HugePages.allocate(arena, READ_BYTES);
      for (long at = 0; at < READ_BYTES; at += LEAST_PAGE_BYTES) {
        memory.set(ValueLayout.JAVA_BYTE, at, (byte) 1); // or all would be one page of zeros
      }
      Parallel.Body read =
          (index, worker) -> sink[index] = sum(memory, index * READ_PIECE_BYTES, READ_PIECE_BYTES);
      return best(read, pieces, READ_BYTES, duration);
    }
  }

  private double fmaPeak(Duration duration) {
    int pieces = workers.threads() * FMA_PIECES_PER_THREAD;
    float[] sink = new float[pieces];
    Parallel.Body work = (index, worker) -> sink[index] = multiplyAdd(sink[index]);
    double operations = 2.0 * FMA_CHAINS * FMA_STEPS * Species.LANES * pieces;
    return best(work, pieces, operations, duration);
  }

  private double best(Parallel.Body body, int pieces, double units, Duration duration) {
    long end = System.nanoTime() + duration.toNanos();
    double best = 0;
    do {
      long start = System.nanoTime();
      workers.run(pieces, body);
      best = Math.max(best, units * 1e9 / (System.nanoTime() - start));
    } while (System.nanoTime() < end);
    return best;
  }

  private static float sum(MemorySegment memory, long from, long bytes) {
    long stream = bytes / STREAMS;
    long step = Species.BITS / 8;
    FloatVector a = FloatVector.zero(Species.FLOAT);
    FloatVector b = a;
    FloatVector c = a;
    FloatVector d = a;
    for (long i = from; i < from + stream; i += step) {
      a = a.add(load(memory, i));
      b = b.add(load(memory, i + stream));
      c = c.add(load(memory, i + 2 * stream));
      d = d.add(load(memory, i + 3 * stream));
    }
    return a.add(b).add(c.add(d)).reduceLanes(VectorOperators.ADD);
  }

  private static FloatVector load(MemorySegment memory, long at) {
    return FloatVector.fromMemorySegment(Species.FLOAT, memory, at, ByteOrder.LITTLE_ENDIAN);
  }

  /**
   * Twelve independent chains hide the latency of a fused multiply-add on every x86 and ARM core.
   */
  private static float multiplyAdd(float seed) {
    FloatVector x = FloatVector.broadcast(Species.FLOAT, seed * 1e-9f);
    FloatVector y = FloatVector.broadcast(Species.FLOAT, 0.999f);
    FloatVector a = x;
    FloatVector b = x.add(1f);
    FloatVector c = x.add(2f);
    FloatVector d = x.add(3f);
    FloatVector e = x.add(4f);
    FloatVector f = x.add(5f);
    FloatVector g = x.add(6f);
    FloatVector h = x.add(7f);
    FloatVector i = x.add(8f);
    FloatVector j = x.add(9f);
    FloatVector k = x.add(10f);
    FloatVector l = x.add(11f);
    for (int n = 0; n < FMA_STEPS; n++) {
      a = a.fma(y, x);
      b = b.fma(y, x);
      c = c.fma(y, x);
      d = d.fma(y, x);
      e = e.fma(y, x);
      f = f.fma(y, x);
      g = g.fma(y, x);
      h = h.fma(y, x);
      i = i.fma(y, x);
      j = j.fma(y, x);
      k = k.fma(y, x);
      l = l.fma(y, x);
    }
    FloatVector sum =
        a.add(b).add(c).add(d).add(e).add(f).add(g).add(h).add(i).add(j).add(k).add(l);
    return sum.reduceLanes(VectorOperators.ADD);
  }
}
