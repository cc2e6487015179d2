package io.attention4j.kernels.cpu.simd;

import static io.attention4j.engine.attention.KvFormat.Q4.GROUP;
import static io.attention4j.engine.attention.KvFormat.Q4.PARAMETER_BYTES;
import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.INT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHR;

import io.attention4j.engine.attention.KvFormat.Q4;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/** Slots of Q4 pages as floats, for a tile that all query rows of a piece then read. */
final class Q4Expand {
  private static final ByteOrder ORDER = ByteOrder.LITTLE_ENDIAN;

  private Q4Expand() {}

  /** Writes slots [slot, slot + count) of a page to rows [row, row + count) of {@code to}. */
  static void slots(
      MemorySegment memory,
      long offset,
      int capacity,
      int dim,
      int slot,
      int count,
      MemorySegment to,
      int row) {
    if (!memory.isNative() || !to.isNative()) {
      throw NativeMemory.required();
    }
    int codeBytes = Q4.codeBytes(dim);
    int parameterBytes = Q4.parameterBytes(dim);
    long parameters = offset + Q4.parameterOffset(capacity, dim);
    for (int k = 0; k < count; k++) {
      slot(
          memory,
          offset + (long) (slot + k) * codeBytes,
          parameters + (long) (slot + k) * parameterBytes,
          dim,
          to,
          (long) (row + k) * dim * Float.BYTES);
    }
  }

  private static void slot(
      MemorySegment memory, long code, long parameter, int dim, MemorySegment to, long at) {
    for (int i = 0; i < dim; i += GROUP) {
      float step = Float.float16ToFloat(memory.get(Tensor.SHORT, parameter));
      float minimum = Float.float16ToFloat(memory.get(Tensor.SHORT, parameter + Short.BYTES));
      long target = at + (long) i * Float.BYTES;
      // At 128 bits no shape of bytes widens to one vector of ints.
      if (LANES >= 8 && i + GROUP <= dim) {
        group(memory, code, step, minimum, to, target);
      } else {
        part(memory, code, step, minimum, Math.min(GROUP, dim - i), to, target);
      }
      code += GROUP / 2;
      parameter += PARAMETER_BYTES;
    }
  }

  private static void group(
      MemorySegment memory, long code, float step, float minimum, MemorySegment to, long at) {
    FloatVector steps = FloatVector.broadcast(FLOAT, step);
    FloatVector minima = FloatVector.broadcast(FLOAT, minimum);
    for (int j = 0; j < GROUP / 2; j += LANES) {
      IntVector pairs =
          (IntVector)
              ByteVector.fromMemorySegment(Species.CODES, memory, code + j, ORDER)
                  .castShape(INT, 0);
      // The product is exact, so that adding to it in one step changes no bit.
      ((FloatVector) pairs.and(15).convert(I2F, 0))
          .fma(steps, minima)
          .intoMemorySegment(to, at + (long) j * Float.BYTES, ORDER);
      ((FloatVector) pairs.lanewise(LSHR, 4).and(15).convert(I2F, 0))
          .fma(steps, minima)
          .intoMemorySegment(to, at + (long) (GROUP / 2 + j) * Float.BYTES, ORDER);
    }
  }

  private static void part(
      MemorySegment memory,
      long code,
      float step,
      float minimum,
      int count,
      MemorySegment to,
      long at) {
    int half = (count + 1) / 2;
    for (int j = 0; j < half; j++) {
      int pair = memory.get(ValueLayout.JAVA_BYTE, code + j);
      to.set(Tensor.FLOAT, at + (long) j * Float.BYTES, (pair & 15) * step + minimum);
      if (half + j < count) {
        float second = (pair >> 4 & 15) * step + minimum;
        to.set(Tensor.FLOAT, at + (long) (half + j) * Float.BYTES, second);
      }
    }
  }
}
