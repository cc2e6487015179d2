package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;

import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.recurrent.ScanCall;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Rows of a scan's tensors to arrays and back. A call of MemorySegment.copy would take longer than
 * a row. Methods are small: in a large one C2 gives up inlining, and boxes every vector.
 */
final class ScanRows {
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;

  /** Elements of a line of a cache. */
  private static final int LINE = 16;

  private ScanRows() {}

  /** Reads one element of each line of so many elements a token; returns what must be kept. */
  static float touch(ScanCall.Source source, int token, int tokens, int head, int width) {
    MemorySegment memory = source.memory();
    if (!memory.isNative()) {
      throw NativeMemory.required();
    }
    long first = source.at(token, head);
    float sum = 0;
    for (int t = 0; t < tokens; t++) {
      long at = first + t * source.rowBytes();
      for (int i = 0; i < width; i += LINE) {
        sum += memory.get(Tensor.FLOAT, at + (long) i * Float.BYTES);
      }
    }
    return sum;
  }

  /** Copies rows, from a column on, times a factor. */
  static void read(
      ScanCall.Source source,
      int token,
      int tokens,
      int head,
      int column,
      float factor,
      int width,
      float[] target,
      int to) {
    MemorySegment memory = source.memory();
    if (!memory.isNative()) {
      throw NativeMemory.required();
    }
    long rowBytes = source.rowBytes();
    long first = source.at(token, head) + (long) column * Float.BYTES;
    FloatVector factors = FloatVector.broadcast(FLOAT, factor);
    for (int t = 0; t < tokens; t++) {
      long at = first + t * rowBytes;
      for (int i = 0; i < width; i += LANES) {
        FloatVector.fromMemorySegment(FLOAT, memory, at + (long) i * Float.BYTES, LE)
            .mul(factors)
            .intoArray(target, to + t * width + i);
      }
    }
  }

  /** Copies rows times a factor and, element by element, rows of an array. */
  static void readTimes(
      ScanCall.Source source,
      int token,
      int tokens,
      int head,
      float factor,
      int width,
      float[] factors,
      int from,
      float[] target,
      int to) {
    MemorySegment memory = source.memory();
    if (!memory.isNative()) {
      throw NativeMemory.required();
    }
    long rowBytes = source.rowBytes();
    long first = source.at(token, head);
    FloatVector common = FloatVector.broadcast(FLOAT, factor);
    for (int t = 0; t < tokens; t++) {
      long at = first + t * rowBytes;
      for (int i = 0; i < width; i += LANES) {
        FloatVector.fromMemorySegment(FLOAT, memory, at + (long) i * Float.BYTES, LE)
            .mul(common)
            .mul(FloatVector.fromArray(FLOAT, factors, from + t * width + i))
            .intoArray(target, to + t * width + i);
      }
    }
  }

  /** Copies rows divided, element by element, by rows of an array. */
  static void readOver(
      ScanCall.Source source,
      int token,
      int tokens,
      int head,
      int width,
      float[] divisors,
      int from,
      float[] target) {
    MemorySegment memory = source.memory();
    if (!memory.isNative()) {
      throw NativeMemory.required();
    }
    long rowBytes = source.rowBytes();
    long first = source.at(token, head);
    for (int t = 0; t < tokens; t++) {
      long at = first + t * rowBytes;
      for (int i = 0; i < width; i += LANES) {
        FloatVector.fromMemorySegment(FLOAT, memory, at + (long) i * Float.BYTES, LE)
            .div(FloatVector.fromArray(FLOAT, divisors, from + t * width + i))
            .intoArray(target, t * width + i);
      }
    }
  }

  /** Row t + 1 of products becomes row t times 2^(a factor times the tensor's row t). */
  static void readPowers(
      ScanCall.Source source,
      int token,
      int tokens,
      int head,
      float factor,
      int width,
      float[] products) {
    MemorySegment memory = source.memory();
    if (!memory.isNative()) {
      throw NativeMemory.required();
    }
    long rowBytes = source.rowBytes();
    long first = source.at(token, head);
    for (int t = 0; t < tokens; t++) {
      long at = first + t * rowBytes;
      for (int i = 0; i < width; i += LANES) {
        FloatVector power =
            FloatVector.fromMemorySegment(FLOAT, memory, at + (long) i * Float.BYTES, LE)
                .mul(factor);
        Exp2.upTo127(power)
            .mul(FloatVector.fromArray(FLOAT, products, t * width + i))
            .intoArray(products, (t + 1) * width + i);
      }
    }
  }

  /** Copies rows to columns of as many tokens. */
  static void write(
      float[] rows,
      int width,
      int tokens,
      ScanCall.Source target,
      int token,
      int head,
      int column) {
    MemorySegment memory = target.memory();
    if (!memory.isNative()) {
      throw NativeMemory.required();
    }
    long rowBytes = target.rowBytes();
    long first = target.at(token, head) + (long) column * Float.BYTES;
    for (int t = 0; t < tokens; t++) {
      long at = first + t * rowBytes;
      for (int i = 0; i < width; i += LANES) {
        FloatVector.fromArray(FLOAT, rows, t * width + i)
            .intoMemorySegment(memory, at + (long) i * Float.BYTES, LE);
      }
    }
  }

  /** Reads a head's state panel by panel, each with its rows one after another. */
  static void readPanels(
      ScanCall.Source source, int head, int rows, int width, int panel, float[] target) {
    MemorySegment memory = source.memory();
    if (!memory.isNative()) {
      throw NativeMemory.required();
    }
    int to = 0;
    for (int column = 0; column < width; column += panel) {
      int columns = Math.min(panel, width - column);
      for (int i = 0; i < rows; i++) {
        long at = source.at(0, head) + ((long) i * width + column) * Float.BYTES;
        for (int j = 0; j < columns; j += LANES) {
          FloatVector.fromMemorySegment(FLOAT, memory, at + (long) j * Float.BYTES, LE)
              .intoArray(target, to + j);
        }
        to += columns;
      }
    }
  }

  /** Undoes {@link #readPanels}. */
  static void writePanels(
      float[] state, ScanCall.Source target, int head, int rows, int width, int panel) {
    MemorySegment memory = target.memory();
    if (!memory.isNative()) {
      throw NativeMemory.required();
    }
    int from = 0;
    for (int column = 0; column < width; column += panel) {
      int columns = Math.min(panel, width - column);
      for (int i = 0; i < rows; i++) {
        long at = target.at(0, head) + ((long) i * width + column) * Float.BYTES;
        for (int j = 0; j < columns; j += LANES) {
          FloatVector.fromArray(FLOAT, state, from + j)
              .intoMemorySegment(memory, at + (long) j * Float.BYTES, LE);
        }
        from += columns;
      }
    }
  }

  static void negate(float[] x, float[] target, int count) {
    for (int i = 0; i < count; i += LANES) {
      FloatVector.fromArray(FLOAT, x, i).neg().intoArray(target, i);
    }
  }

  /** 2^x of the first elements of an array, for x up to 127. */
  static void exp2(float[] x, int count) {
    for (int i = 0; i < count; i += LANES) {
      Exp2.upTo127(FloatVector.fromArray(FLOAT, x, i)).intoArray(x, i);
    }
  }

  /** The least of an array and 1; NaN if it holds one. */
  static float least(float[] values) {
    FloatVector least = FloatVector.broadcast(FLOAT, 1);
    for (int i = 0; i < values.length; i += LANES) {
      least = least.min(FloatVector.fromArray(FLOAT, values, i));
    }
    return least.reduceLanes(VectorOperators.MIN);
  }

  /** x / divisors in place. */
  static void divide(float[] x, int at, float[] divisors, int count) {
    for (int i = 0; i < count; i += LANES) {
      FloatVector.fromArray(FLOAT, x, at + i)
          .div(FloatVector.fromArray(FLOAT, divisors, i))
          .intoArray(x, at + i);
    }
  }

  /** x * factors in place. */
  static void multiply(float[] x, int at, float[] factors, int from, int count) {
    for (int i = 0; i < count; i += LANES) {
      FloatVector.fromArray(FLOAT, x, at + i)
          .mul(FloatVector.fromArray(FLOAT, factors, from + i))
          .intoArray(x, at + i);
    }
  }

  /** The inner product of two rows. */
  static float dot(float[] x, int at, float[] other, int from, int count) {
    FloatVector sum = FloatVector.zero(FLOAT);
    for (int i = 0; i < count; i += LANES) {
      sum =
          FloatVector.fromArray(FLOAT, x, at + i)
              .fma(FloatVector.fromArray(FLOAT, other, from + i), sum);
    }
    return sum.reduceLanes(VectorOperators.ADD);
  }

  /** Lays rows b and on across: across[d, j] = rows[j, d]. A line of a row at a time. */
  static void turn(float[] rows, float[] across, int b, int count, int width, int acrossRow) {
    for (int first = 0; first < width; first += LINE) {
      int end = Math.min(first + LINE, width);
      for (int j = b; j < b + count; j++) {
        int at = j * width;
        int to = first * acrossRow + j;
        for (int d = first; d < end; d++) {
          across[to] = rows[at + d];
          to += acrossRow;
        }
      }
    }
  }
}
