package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.INT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;
import static jdk.incubator.vector.VectorOperators.EQ;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;

import io.attention4j.engine.attention.KvFormat.Grouped;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * Products of four rows with lines of a {@link Grouped} page, read as codes: sums[r][c] += sum over
 * lines of x[line][r] * (step * code[line][c] + minimum). Scores are this with keys by channel (x
 * is q, columns are keys), weighted sums of values with values by token (x is the weights, columns
 * are elements). Lanes lie along the columns, so that a code is unpacked once for four rows; step
 * and x are multiplied first, and minima only meet x.
 *
 * <p>A code is not shifted to the lowest bits for each line of its block: that power of two is in
 * the multiplier, exactly.
 */
final class GroupLines {
  /** Columns of the sums: half a segment, which no group is smaller than. */
  static final int COLUMNS = 32;

  /** Floats of the sums. */
  static final int SUMS = 4 * COLUMNS;

  private static final int WORDS = 16;
  private static final ByteOrder ORDER = ByteOrder.LITTLE_ENDIAN;

  /** As many halves as a vector of floats. */
  private static final VectorSpecies<Short> HALVES =
      VectorSpecies.of(short.class, VectorShape.forBitSize(Species.BITS / 2));

  // Lane i takes lane j * LANES / 4 + i / 4: one number for each of four rows.
  private static final VectorShuffle<Float> SPREAD0 = spread(0);
  private static final VectorShuffle<Float> SPREAD1 = spread(1);
  private static final VectorShuffle<Float> SPREAD2 = spread(2);
  private static final VectorShuffle<Float> SPREAD3 = spread(3);

  private static final VectorMask<Float> ROW1 = row(1);
  private static final VectorMask<Float> ROW2 = row(2);
  private static final VectorMask<Float> ROW3 = row(3);

  /** 2^112, by which the bits of a half are too small as a float, and 2^(-4 bits) per line. */
  private static final FloatVector FACTORS2 = factors(2);

  private static final FloatVector FACTORS4 = factors(4);
  private static final FloatVector FACTORS8 = factors(8);

  private GroupLines() {}

  private static VectorShuffle<Float> spread(int j) {
    return VectorShuffle.fromOp(FLOAT, i -> j * (LANES / 4) + i / 4);
  }

  private static VectorMask<Float> row(int r) {
    boolean[] lanes = new boolean[LANES];
    for (int i = r; i < LANES; i += 4) {
      lanes[i] = true;
    }
    return VectorMask.fromArray(FLOAT, lanes, 0);
  }

  private static FloatVector factors(int bits) {
    float[] factors = new float[LANES];
    for (int i = 0; i < LANES; i++) {
      factors[i] = 0x1p112f * unit(bits, i);
    }
    return FloatVector.fromArray(FLOAT, factors, 0);
  }

  /** What a code of this line is multiplied by where it lies in its block. */
  private static float unit(int bits, int line) {
    return (float) Math.scalb(1.0, -4 * bits * (line % (8 / bits)));
  }

  /** Floats of scratch memory for so many lines. */
  static int scratch(int lines) {
    return 4 * (lines + 4);
  }

  /**
   * Adds the products of lines [first, first + lines) with the columns [32 * half, 32 * half + 32)
   * of a page, or as many as there are.
   *
   * @param at byte where the page's keys or values begin
   * @param first a multiple of {@link Grouped#blockLines}
   * @param x [lines][4] from {@code xAt}; a line with 0 does not count whatever its group holds
   * @param sums [4][{@value #COLUMNS}] from {@code sumsAt}; behind the page's last column anything
   * @param scratch {@link #scratch} floats
   */
  static void add(
      Grouped format,
      MemorySegment memory,
      long at,
      int capacity,
      int dim,
      int half,
      int first,
      int lines,
      float[] x,
      int xAt,
      float[] sums,
      int sumsAt,
      float[] scratch) {
    if (!memory.isNative()) {
      throw NativeMemory.required();
    }
    int group = half * COLUMNS / format.group();
    long parameter = 2L * ((long) group * format.lines(capacity, dim) + first);
    long steps = at + format.stepOffset(capacity, dim) + parameter;
    long minima = at + format.minimumOffset(capacity, dim) + parameter;
    multipliers(format.bits(), memory, steps, minima, lines, x, xAt, scratch);
    // The minima's products, one per row, are the last of the scratch memory.
    for (int r = 0; r < 4; r++) {
      float minimum = scratch[scratch.length - 4 + r];
      if (minimum != 0) {
        addAll(sums, sumsAt + r * COLUMNS, minimum);
      }
    }
    int blocks = Math.ceilDiv(lines, format.blockLines());
    Arrays.fill(scratch, 4 * lines, 4 * blocks * format.blockLines(), 0);
    long codes =
        at
            + half / 2 * format.segmentBytes(capacity, dim)
            + (long) first / format.blockLines() * Grouped.BLOCK_BYTES;
    int shift = half % 2 * 2 * format.bits();
    for (int lane = 0; lane < WORDS; lane += LANES) {
      long from = codes + lane * 4L;
      switch (format.bits()) {
        case 2 -> two(memory, from, blocks, shift, scratch, sums, sumsAt + lane);
        case 4 -> four(memory, from, blocks, shift, scratch, sums, sumsAt + lane);
        default -> eight(memory, from, blocks, shift, scratch, sums, sumsAt + lane);
      }
    }
  }

  private static void addAll(float[] sums, int at, float x) {
    for (int c = 0; c < COLUMNS; c += LANES) {
      FloatVector.fromArray(FLOAT, sums, at + c).add(x).intoArray(sums, at + c);
    }
  }

  /**
   * m[line][r] = x[line][r] * step[line] in units of the block; sums of x * minimum behind them.
   */
  private static void multipliers(
      int bits,
      MemorySegment memory,
      long steps,
      long minima,
      int lines,
      float[] x,
      int xAt,
      float[] m) {
    FloatVector factors = bits == 2 ? FACTORS2 : bits == 4 ? FACTORS4 : FACTORS8;
    FloatVector sum = FloatVector.zero(FLOAT);
    int last = m.length - 4;
    float s0 = 0;
    float s1 = 0;
    float s2 = 0;
    float s3 = 0;
    int line = 0;
    for (; line <= lines - LANES; line += LANES) {
      IntVector step = halves(memory, steps + 2L * line);
      IntVector minimum = halves(memory, minima + 2L * line);
      if (notFinite(step, minimum)) {
        break;
      }
      // Steps are not negative; a minimum's sign goes to its place.
      FloatVector s = step.lanewise(LSHL, 13).reinterpretAsFloats().mul(factors);
      FloatVector z = signed(minimum);
      int from = xAt + 4 * line;
      int to = 4 * line;
      FloatVector x0 = FloatVector.fromArray(FLOAT, x, from);
      FloatVector x1 = FloatVector.fromArray(FLOAT, x, from + LANES);
      FloatVector x2 = FloatVector.fromArray(FLOAT, x, from + 2 * LANES);
      FloatVector x3 = FloatVector.fromArray(FLOAT, x, from + 3 * LANES);
      s.rearrange(SPREAD0).mul(x0).intoArray(m, to);
      s.rearrange(SPREAD1).mul(x1).intoArray(m, to + LANES);
      s.rearrange(SPREAD2).mul(x2).intoArray(m, to + 2 * LANES);
      s.rearrange(SPREAD3).mul(x3).intoArray(m, to + 3 * LANES);
      sum = z.rearrange(SPREAD0).fma(x0, sum);
      sum = z.rearrange(SPREAD1).fma(x1, sum);
      sum = z.rearrange(SPREAD2).fma(x2, sum);
      sum = z.rearrange(SPREAD3).fma(x3, sum);
    }
    for (int r = 0; r < 4; r++) {
      m[last + r] = 0;
    }
    if (line > 0) {
      for (int i = 0; i < LANES; i += 4) {
        s0 += sum.lane(i);
        s1 += sum.lane(i + 1);
        s2 += sum.lane(i + 2);
        s3 += sum.lane(i + 3);
      }
      m[last] = s0;
      m[last + 1] = s1;
      m[last + 2] = s2;
      m[last + 3] = s3;
    }
    for (; line < lines; line++) {
      one(bits, memory, steps, minima, line, x, xAt, m);
    }
  }

  /** A line alone; where x is 0 it does not matter whether the group is finite. */
  private static void one(
      int bits,
      MemorySegment memory,
      long steps,
      long minima,
      int line,
      float[] x,
      int xAt,
      float[] m) {
    float step = Float.float16ToFloat(memory.get(Tensor.SHORT, steps + 2L * line));
    float minimum = Float.float16ToFloat(memory.get(Tensor.SHORT, minima + 2L * line));
    step *= unit(bits, line);
    for (int r = 0; r < 4; r++) {
      float factor = x[xAt + 4 * line + r];
      m[4 * line + r] = factor == 0 ? 0 : factor * step;
      m[m.length - 4 + r] += factor == 0 ? 0 : factor * minimum;
    }
  }

  private static IntVector halves(MemorySegment memory, long at) {
    return (IntVector) ShortVector.fromMemorySegment(HALVES, memory, at, ORDER).castShape(INT, 0);
  }

  private static boolean notFinite(IntVector a, IntVector b) {
    // Of a half that is not finite all bits of the exponent are set.
    IntVector x = a.and(0x7c00).max(b.and(0x7c00));
    return x.compare(EQ, 0x7c00).anyTrue();
  }

  private static FloatVector signed(IntVector half) {
    IntVector magnitude = half.and(0x7fff).lanewise(LSHL, 13);
    IntVector sign = half.and(0x8000).lanewise(LSHL, 16);
    return magnitude.or(sign).reinterpretAsFloats().mul(0x1p112f);
  }

  /** [4][32] to [32][4]. */
  static void interleave(float[] sums, int at, float[] to, int toAt) {
    for (int c = 0; c < COLUMNS; c += LANES) {
      FloatVector r0 = FloatVector.fromArray(FLOAT, sums, at + c);
      FloatVector r1 = FloatVector.fromArray(FLOAT, sums, at + COLUMNS + c);
      FloatVector r2 = FloatVector.fromArray(FLOAT, sums, at + 2 * COLUMNS + c);
      FloatVector r3 = FloatVector.fromArray(FLOAT, sums, at + 3 * COLUMNS + c);
      int target = toAt + 4 * c;
      r0.rearrange(SPREAD0)
          .blend(r1.rearrange(SPREAD0), ROW1)
          .blend(r2.rearrange(SPREAD0), ROW2)
          .blend(r3.rearrange(SPREAD0), ROW3)
          .intoArray(to, target);
      r0.rearrange(SPREAD1)
          .blend(r1.rearrange(SPREAD1), ROW1)
          .blend(r2.rearrange(SPREAD1), ROW2)
          .blend(r3.rearrange(SPREAD1), ROW3)
          .intoArray(to, target + LANES);
      r0.rearrange(SPREAD2)
          .blend(r1.rearrange(SPREAD2), ROW1)
          .blend(r2.rearrange(SPREAD2), ROW2)
          .blend(r3.rearrange(SPREAD2), ROW3)
          .intoArray(to, target + 2 * LANES);
      r0.rearrange(SPREAD3)
          .blend(r1.rearrange(SPREAD3), ROW1)
          .blend(r2.rearrange(SPREAD3), ROW2)
          .blend(r3.rearrange(SPREAD3), ROW3)
          .intoArray(to, target + 3 * LANES);
    }
  }

  /** Blocks of 4 lines of 2 bits. */
  private static void two(
      MemorySegment memory, long from, int blocks, int shift, float[] m, float[] sums, int at) {
    FloatVector c00 = FloatVector.fromArray(FLOAT, sums, at);
    FloatVector c01 = FloatVector.fromArray(FLOAT, sums, at + WORDS);
    FloatVector c10 = FloatVector.fromArray(FLOAT, sums, at + COLUMNS);
    FloatVector c11 = FloatVector.fromArray(FLOAT, sums, at + COLUMNS + WORDS);
    FloatVector c20 = FloatVector.fromArray(FLOAT, sums, at + 2 * COLUMNS);
    FloatVector c21 = FloatVector.fromArray(FLOAT, sums, at + 2 * COLUMNS + WORDS);
    FloatVector c30 = FloatVector.fromArray(FLOAT, sums, at + 3 * COLUMNS);
    FloatVector c31 = FloatVector.fromArray(FLOAT, sums, at + 3 * COLUMNS + WORDS);
    for (int b = 0; b < blocks; b++) {
      IntVector words =
          IntVector.fromMemorySegment(INT, memory, from + (long) b * Grouped.BLOCK_BYTES, ORDER);
      IntVector w0 = words.lanewise(LSHR, shift);
      IntVector w1 = words.lanewise(LSHR, shift + 2);
      int k = 16 * b;
      FloatVector x0 = (FloatVector) w0.and(0x3).convert(I2F, 0);
      FloatVector x1 = (FloatVector) w1.and(0x3).convert(I2F, 0);
      FloatVector y = FloatVector.broadcast(FLOAT, m[k]);
      c00 = x0.fma(y, c00);
      c01 = x1.fma(y, c01);
      y = FloatVector.broadcast(FLOAT, m[k + 1]);
      c10 = x0.fma(y, c10);
      c11 = x1.fma(y, c11);
      y = FloatVector.broadcast(FLOAT, m[k + 2]);
      c20 = x0.fma(y, c20);
      c21 = x1.fma(y, c21);
      y = FloatVector.broadcast(FLOAT, m[k + 3]);
      c30 = x0.fma(y, c30);
      c31 = x1.fma(y, c31);
      x0 = (FloatVector) w0.and(0x300).convert(I2F, 0);
      x1 = (FloatVector) w1.and(0x300).convert(I2F, 0);
      y = FloatVector.broadcast(FLOAT, m[k + 4]);
      c00 = x0.fma(y, c00);
      c01 = x1.fma(y, c01);
      y = FloatVector.broadcast(FLOAT, m[k + 5]);
      c10 = x0.fma(y, c10);
      c11 = x1.fma(y, c11);
      y = FloatVector.broadcast(FLOAT, m[k + 6]);
      c20 = x0.fma(y, c20);
      c21 = x1.fma(y, c21);
      y = FloatVector.broadcast(FLOAT, m[k + 7]);
      c30 = x0.fma(y, c30);
      c31 = x1.fma(y, c31);
      x0 = (FloatVector) w0.and(0x30000).convert(I2F, 0);
      x1 = (FloatVector) w1.and(0x30000).convert(I2F, 0);
      y = FloatVector.broadcast(FLOAT, m[k + 8]);
      c00 = x0.fma(y, c00);
      c01 = x1.fma(y, c01);
      y = FloatVector.broadcast(FLOAT, m[k + 9]);
      c10 = x0.fma(y, c10);
      c11 = x1.fma(y, c11);
      y = FloatVector.broadcast(FLOAT, m[k + 10]);
      c20 = x0.fma(y, c20);
      c21 = x1.fma(y, c21);
      y = FloatVector.broadcast(FLOAT, m[k + 11]);
      c30 = x0.fma(y, c30);
      c31 = x1.fma(y, c31);
      x0 = (FloatVector) w0.and(0x3000000).convert(I2F, 0);
      x1 = (FloatVector) w1.and(0x3000000).convert(I2F, 0);
      y = FloatVector.broadcast(FLOAT, m[k + 12]);
      c00 = x0.fma(y, c00);
      c01 = x1.fma(y, c01);
      y = FloatVector.broadcast(FLOAT, m[k + 13]);
      c10 = x0.fma(y, c10);
      c11 = x1.fma(y, c11);
      y = FloatVector.broadcast(FLOAT, m[k + 14]);
      c20 = x0.fma(y, c20);
      c21 = x1.fma(y, c21);
      y = FloatVector.broadcast(FLOAT, m[k + 15]);
      c30 = x0.fma(y, c30);
      c31 = x1.fma(y, c31);
    }
    c00.intoArray(sums, at);
    c01.intoArray(sums, at + WORDS);
    c10.intoArray(sums, at + COLUMNS);
    c11.intoArray(sums, at + COLUMNS + WORDS);
    c20.intoArray(sums, at + 2 * COLUMNS);
    c21.intoArray(sums, at + 2 * COLUMNS + WORDS);
    c30.intoArray(sums, at + 3 * COLUMNS);
    c31.intoArray(sums, at + 3 * COLUMNS + WORDS);
  }

  /** Blocks of 2 lines of 4 bits. */
  private static void four(
      MemorySegment memory, long from, int blocks, int shift, float[] m, float[] sums, int at) {
    FloatVector c00 = FloatVector.fromArray(FLOAT, sums, at);
    FloatVector c01 = FloatVector.fromArray(FLOAT, sums, at + WORDS);
    FloatVector c10 = FloatVector.fromArray(FLOAT, sums, at + COLUMNS);
    FloatVector c11 = FloatVector.fromArray(FLOAT, sums, at + COLUMNS + WORDS);
    FloatVector c20 = FloatVector.fromArray(FLOAT, sums, at + 2 * COLUMNS);
    FloatVector c21 = FloatVector.fromArray(FLOAT, sums, at + 2 * COLUMNS + WORDS);
    FloatVector c30 = FloatVector.fromArray(FLOAT, sums, at + 3 * COLUMNS);
    FloatVector c31 = FloatVector.fromArray(FLOAT, sums, at + 3 * COLUMNS + WORDS);
    for (int b = 0; b < blocks; b++) {
      IntVector words =
          IntVector.fromMemorySegment(INT, memory, from + (long) b * Grouped.BLOCK_BYTES, ORDER);
      IntVector w0 = words.lanewise(LSHR, shift);
      IntVector w1 = words.lanewise(LSHR, shift + 4);
      int k = 8 * b;
      FloatVector x0 = (FloatVector) w0.and(0xf).convert(I2F, 0);
      FloatVector x1 = (FloatVector) w1.and(0xf).convert(I2F, 0);
      FloatVector y = FloatVector.broadcast(FLOAT, m[k]);
      c00 = x0.fma(y, c00);
      c01 = x1.fma(y, c01);
      y = FloatVector.broadcast(FLOAT, m[k + 1]);
      c10 = x0.fma(y, c10);
      c11 = x1.fma(y, c11);
      y = FloatVector.broadcast(FLOAT, m[k + 2]);
      c20 = x0.fma(y, c20);
      c21 = x1.fma(y, c21);
      y = FloatVector.broadcast(FLOAT, m[k + 3]);
      c30 = x0.fma(y, c30);
      c31 = x1.fma(y, c31);
      x0 = (FloatVector) w0.and(0xf0000).convert(I2F, 0);
      x1 = (FloatVector) w1.and(0xf0000).convert(I2F, 0);
      y = FloatVector.broadcast(FLOAT, m[k + 4]);
      c00 = x0.fma(y, c00);
      c01 = x1.fma(y, c01);
      y = FloatVector.broadcast(FLOAT, m[k + 5]);
      c10 = x0.fma(y, c10);
      c11 = x1.fma(y, c11);
      y = FloatVector.broadcast(FLOAT, m[k + 6]);
      c20 = x0.fma(y, c20);
      c21 = x1.fma(y, c21);
      y = FloatVector.broadcast(FLOAT, m[k + 7]);
      c30 = x0.fma(y, c30);
      c31 = x1.fma(y, c31);
    }
    c00.intoArray(sums, at);
    c01.intoArray(sums, at + WORDS);
    c10.intoArray(sums, at + COLUMNS);
    c11.intoArray(sums, at + COLUMNS + WORDS);
    c20.intoArray(sums, at + 2 * COLUMNS);
    c21.intoArray(sums, at + 2 * COLUMNS + WORDS);
    c30.intoArray(sums, at + 3 * COLUMNS);
    c31.intoArray(sums, at + 3 * COLUMNS + WORDS);
  }

  /** Blocks of 1 line of 8 bits. */
  private static void eight(
      MemorySegment memory, long from, int blocks, int shift, float[] m, float[] sums, int at) {
    FloatVector c00 = FloatVector.fromArray(FLOAT, sums, at);
    FloatVector c01 = FloatVector.fromArray(FLOAT, sums, at + WORDS);
    FloatVector c10 = FloatVector.fromArray(FLOAT, sums, at + COLUMNS);
    FloatVector c11 = FloatVector.fromArray(FLOAT, sums, at + COLUMNS + WORDS);
    FloatVector c20 = FloatVector.fromArray(FLOAT, sums, at + 2 * COLUMNS);
    FloatVector c21 = FloatVector.fromArray(FLOAT, sums, at + 2 * COLUMNS + WORDS);
    FloatVector c30 = FloatVector.fromArray(FLOAT, sums, at + 3 * COLUMNS);
    FloatVector c31 = FloatVector.fromArray(FLOAT, sums, at + 3 * COLUMNS + WORDS);
    for (int b = 0; b < blocks; b++) {
      IntVector words =
          IntVector.fromMemorySegment(INT, memory, from + (long) b * Grouped.BLOCK_BYTES, ORDER);
      IntVector w0 = words.lanewise(LSHR, shift);
      IntVector w1 = words.lanewise(LSHR, shift + 8);
      int k = 4 * b;
      FloatVector x0 = (FloatVector) w0.and(0xff).convert(I2F, 0);
      FloatVector x1 = (FloatVector) w1.and(0xff).convert(I2F, 0);
      FloatVector y = FloatVector.broadcast(FLOAT, m[k]);
      c00 = x0.fma(y, c00);
      c01 = x1.fma(y, c01);
      y = FloatVector.broadcast(FLOAT, m[k + 1]);
      c10 = x0.fma(y, c10);
      c11 = x1.fma(y, c11);
      y = FloatVector.broadcast(FLOAT, m[k + 2]);
      c20 = x0.fma(y, c20);
      c21 = x1.fma(y, c21);
      y = FloatVector.broadcast(FLOAT, m[k + 3]);
      c30 = x0.fma(y, c30);
      c31 = x1.fma(y, c31);
    }
    c00.intoArray(sums, at);
    c01.intoArray(sums, at + WORDS);
    c10.intoArray(sums, at + COLUMNS);
    c11.intoArray(sums, at + COLUMNS + WORDS);
    c20.intoArray(sums, at + 2 * COLUMNS);
    c21.intoArray(sums, at + 2 * COLUMNS + WORDS);
    c30.intoArray(sums, at + 3 * COLUMNS);
    c31.intoArray(sums, at + 3 * COLUMNS + WORDS);
  }
}
