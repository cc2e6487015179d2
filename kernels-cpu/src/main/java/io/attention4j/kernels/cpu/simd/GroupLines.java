package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.INT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;
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
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;

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
  /** Half a segment, which no group is smaller than. */
  static final int COLUMNS = 32;

  /** Floats of the sums of a half. */
  static final int SUMS = 4 * COLUMNS;

  private static final int WORDS = 16;
  private static final ByteOrder ORDER = ByteOrder.LITTLE_ENDIAN;

  // Lane i takes lane j * LANES / 4 + i / 4: one number for each of four rows.
  private static final VectorShuffle<Float> SPREAD0 = spread(0);
  private static final VectorShuffle<Float> SPREAD1 = spread(1);
  private static final VectorShuffle<Float> SPREAD2 = spread(2);
  private static final VectorShuffle<Float> SPREAD3 = spread(3);

  private static final VectorShuffle<Float> TURN4 = VectorShuffle.iota(FLOAT, 4, 1, true);
  private static final VectorShuffle<Float> TURN8 = VectorShuffle.iota(FLOAT, 8, 1, true);

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
    return 2 * 4 * (lines + 3);
  }

  /**
   * Adds the products of lines [first, first + lines) with the columns of a segment of a page.
   *
   * @param at byte where the page's keys or values begin
   * @param first a multiple of {@link Grouped#blockLines}
   * @param x [lines][4] from {@code xAt}; a line with 0 does not count whatever its group holds
   * @param sums [2][4][{@value #COLUMNS}] from {@code sumsAt}; behind the page's last column
   *     anything, and nothing at all of halves that have no column
   * @param minimumSums products with the minima, which all columns of a half have in common: as
   *     many floats per half as a vector has, from {@code minimumSumsAt}, whose sum over i % 4 = r
   *     row r is to get
   * @param scratch {@link #scratch} floats
   */
  static void add(
      Grouped format,
      MemorySegment memory,
      long at,
      int capacity,
      int dim,
      int segment,
      int first,
      int lines,
      float[] x,
      int xAt,
      float[] sums,
      int sumsAt,
      float[] minimumSums,
      int minimumSumsAt,
      float[] scratch) {
    if (!memory.isNative()) {
      throw NativeMemory.required();
    }
    int blocks = Math.ceilDiv(lines, format.blockLines());
    int padded = blocks * format.blockLines();
    boolean two = format.columns(capacity, dim) - segment * Grouped.SEGMENT > COLUMNS;
    int next = two ? 4 * padded : 0;
    for (int half = 0; half * COLUMNS <= (two ? COLUMNS : 0); half++) {
      int group = (segment * Grouped.SEGMENT + half * COLUMNS) / format.group();
      long parameter = 2L * ((long) group * format.lines(capacity, dim) + first);
      long steps = at + format.stepOffset(capacity, dim) + parameter;
      long minima = at + format.minimumOffset(capacity, dim) + parameter;
      int to = minimumSumsAt + half * LANES;
      int m = half * next;
      multipliers(format.bits(), memory, steps, minima, lines, x, xAt, scratch, m, minimumSums, to);
      Arrays.fill(scratch, m + 4 * lines, m + 4 * padded, 0);
    }
    long codes =
        at
            + segment * format.segmentBytes(capacity, dim)
            + (long) first / format.blockLines() * Grouped.BLOCK_BYTES;
    halves(format.bits(), memory, codes, blocks, 0, scratch, 0, sums, sumsAt);
    if (two) {
      halves(format.bits(), memory, codes, blocks, 1, scratch, next, sums, sumsAt + SUMS);
    }
  }

  private static void halves(
      int bits,
      MemorySegment memory,
      long codes,
      int blocks,
      int half,
      float[] m,
      int mAt,
      float[] sums,
      int at) {
    int shift = 2 * half * bits;
    for (int lane = 0; lane < WORDS; lane += LANES) {
      products(bits, memory, codes + lane * 4L, blocks, shift, m, mAt, sums, at + lane);
    }
  }

  /** m[line][r] = x[line][r] * step[line] in units of the block; adds the sums of x * minimum. */
  private static void multipliers(
      int bits,
      MemorySegment memory,
      long steps,
      long minima,
      int lines,
      float[] x,
      int xAt,
      float[] m,
      int mAt,
      float[] minimumSums,
      int sumsAt) {
    FloatVector factors = bits == 2 ? FACTORS2 : bits == 4 ? FACTORS4 : FACTORS8;
    FloatVector sum0 = FloatVector.fromArray(FLOAT, minimumSums, sumsAt);
    FloatVector sum1 = FloatVector.zero(FLOAT);
    FloatVector sum2 = FloatVector.zero(FLOAT);
    FloatVector sum3 = FloatVector.zero(FLOAT);
    int line = 0;
    for (; line <= lines - LANES; line += LANES) {
      IntVector step = HalfExpand.bits(memory, steps + 2L * line);
      IntVector minimum = HalfExpand.bits(memory, minima + 2L * line);
      if (!HalfExpand.finite(step) || !HalfExpand.finite(minimum)) {
        break;
      }
      // Steps are not negative; a minimum's sign goes to its place.
      FloatVector s = step.lanewise(LSHL, 13).reinterpretAsFloats().mul(factors);
      FloatVector z = HalfExpand.floats(minimum);
      int from = xAt + 4 * line;
      int to = mAt + 4 * line;
      FloatVector x0 = FloatVector.fromArray(FLOAT, x, from);
      FloatVector x1 = FloatVector.fromArray(FLOAT, x, from + LANES);
      FloatVector x2 = FloatVector.fromArray(FLOAT, x, from + 2 * LANES);
      FloatVector x3 = FloatVector.fromArray(FLOAT, x, from + 3 * LANES);
      s.rearrange(SPREAD0).mul(x0).intoArray(m, to);
      s.rearrange(SPREAD1).mul(x1).intoArray(m, to + LANES);
      s.rearrange(SPREAD2).mul(x2).intoArray(m, to + 2 * LANES);
      s.rearrange(SPREAD3).mul(x3).intoArray(m, to + 3 * LANES);
      sum0 = z.rearrange(SPREAD0).fma(x0, sum0);
      sum1 = z.rearrange(SPREAD1).fma(x1, sum1);
      sum2 = z.rearrange(SPREAD2).fma(x2, sum2);
      sum3 = z.rearrange(SPREAD3).fma(x3, sum3);
    }
    sum0.add(sum1).add(sum2.add(sum3)).intoArray(minimumSums, sumsAt);
    for (; line < lines; line++) {
      one(bits, memory, steps, minima, line, x, xAt, m, mAt, minimumSums, sumsAt);
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
      float[] m,
      int mAt,
      float[] minimumSums,
      int sumsAt) {
    float step = Float.float16ToFloat(memory.get(Tensor.SHORT, steps + 2L * line));
    float minimum = Float.float16ToFloat(memory.get(Tensor.SHORT, minima + 2L * line));
    step *= unit(bits, line);
    for (int r = 0; r < 4; r++) {
      float factor = x[xAt + 4 * line + r];
      m[mAt + 4 * line + r] = factor == 0 ? 0 : factor * step;
      minimumSums[sumsAt + r] += factor == 0 ? 0 : factor * minimum;
    }
  }

  /** [4][32] and what the minima add to all columns to [32][4]. */
  static void interleave(
      float[] sums, int at, float[] minimumSums, int minimumSumsAt, float[] to, int toAt) {
    FloatVector all = FloatVector.fromArray(FLOAT, minimumSums, minimumSumsAt);
    for (int distance = LANES / 2; distance >= 4; distance /= 2) {
      all = all.add(all.rearrange(distance == 8 ? TURN8 : TURN4));
    }
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
          .add(all)
          .intoArray(to, target);
      r0.rearrange(SPREAD1)
          .blend(r1.rearrange(SPREAD1), ROW1)
          .blend(r2.rearrange(SPREAD1), ROW2)
          .blend(r3.rearrange(SPREAD1), ROW3)
          .add(all)
          .intoArray(to, target + LANES);
      r0.rearrange(SPREAD2)
          .blend(r1.rearrange(SPREAD2), ROW1)
          .blend(r2.rearrange(SPREAD2), ROW2)
          .blend(r3.rearrange(SPREAD2), ROW3)
          .add(all)
          .intoArray(to, target + 2 * LANES);
      r0.rearrange(SPREAD3)
          .blend(r1.rearrange(SPREAD3), ROW1)
          .blend(r2.rearrange(SPREAD3), ROW2)
          .blend(r3.rearrange(SPREAD3), ROW3)
          .add(all)
          .intoArray(to, target + 3 * LANES);
    }
  }

  /** Of one vector of each half word; a line of a block lies 4 bits times its width higher. */
  private static void products(
      int bits,
      MemorySegment memory,
      long from,
      int blocks,
      int shift,
      float[] m,
      int mAt,
      float[] sums,
      int at) {
    int lines = 8 / bits;
    int step = 4 * bits;
    FloatVector c00 = FloatVector.fromArray(FLOAT, sums, at);
    FloatVector c01 = FloatVector.fromArray(FLOAT, sums, at + WORDS);
    FloatVector c10 = FloatVector.fromArray(FLOAT, sums, at + COLUMNS);
    FloatVector c11 = FloatVector.fromArray(FLOAT, sums, at + COLUMNS + WORDS);
    FloatVector c20 = FloatVector.fromArray(FLOAT, sums, at + 2 * COLUMNS);
    FloatVector c21 = FloatVector.fromArray(FLOAT, sums, at + 2 * COLUMNS + WORDS);
    FloatVector c30 = FloatVector.fromArray(FLOAT, sums, at + 3 * COLUMNS);
    FloatVector c31 = FloatVector.fromArray(FLOAT, sums, at + 3 * COLUMNS + WORDS);
    int k = mAt;
    for (int b = 0; b < blocks; b++) {
      IntVector words =
          IntVector.fromMemorySegment(INT, memory, from + (long) b * Grouped.BLOCK_BYTES, ORDER);
      IntVector w0 = words.lanewise(LSHR, shift);
      IntVector w1 = words.lanewise(LSHR, shift + bits);
      int mask = (1 << bits) - 1;
      for (int line = 0; line < lines; line++) {
        FloatVector x0 = (FloatVector) w0.and(mask).convert(I2F, 0);
        FloatVector x1 = (FloatVector) w1.and(mask).convert(I2F, 0);
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
        k += 4;
        mask <<= step;
      }
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
