package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.rows.ElementwiseRange;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;

/** Elementwise operations with vectors. */
final class SimdElementwise extends ElementwiseRange {
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;

  SimdElementwise(Parallel workers) {
    super(workers);
  }

  @Override
  protected void apply(
      Operation operation,
      MemorySegment x,
      long at,
      MemorySegment y,
      long yAt,
      float scalar,
      long elements) {
    long whole = elements - elements % LANES;
    switch (operation) {
      case ADD -> {
        for (long i = 0; i < whole; i += LANES) {
          FloatVector v = FloatVector.fromMemorySegment(FLOAT, x, at + 4 * i, LE);
          v.add(FloatVector.fromMemorySegment(FLOAT, y, yAt + 4 * i, LE))
              .intoMemorySegment(x, at + 4 * i, LE);
        }
      }
      case MULTIPLY -> {
        for (long i = 0; i < whole; i += LANES) {
          FloatVector v = FloatVector.fromMemorySegment(FLOAT, x, at + 4 * i, LE);
          v.mul(FloatVector.fromMemorySegment(FLOAT, y, yAt + 4 * i, LE))
              .intoMemorySegment(x, at + 4 * i, LE);
        }
      }
      case SCALE -> {
        for (long i = 0; i < whole; i += LANES) {
          FloatVector v = FloatVector.fromMemorySegment(FLOAT, x, at + 4 * i, LE);
          v.mul(scalar).intoMemorySegment(x, at + 4 * i, LE);
        }
      }
      case SOFT_CAP -> {
        for (long i = 0; i < whole; i += LANES) {
          FloatVector v = FloatVector.fromMemorySegment(FLOAT, x, at + 4 * i, LE);
          Exp2.tanh(v.div(scalar)).mul(scalar).intoMemorySegment(x, at + 4 * i, LE);
        }
      }
    }
    for (long i = whole; i < elements; i++) {
      float value = x.get(Tensor.FLOAT, at + 4 * i);
      float result =
          switch (operation) {
            case ADD -> value + y.get(Tensor.FLOAT, yAt + 4 * i);
            case MULTIPLY -> value * y.get(Tensor.FLOAT, yAt + 4 * i);
            case SCALE -> value * scalar;
            case SOFT_CAP -> (float) (scalar * Math.tanh(value / scalar));
          };
      x.set(Tensor.FLOAT, at + 4 * i, result);
    }
  }
}
