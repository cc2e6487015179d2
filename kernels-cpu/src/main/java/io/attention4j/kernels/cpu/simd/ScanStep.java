package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;

import io.attention4j.engine.spi.LinearScanSpec;
import io.attention4j.engine.spi.LinearScanSpec.Write;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.recurrent.ScanCall;
import io.attention4j.kernels.cpu.recurrent.TokenFactors;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;

/**
 * One token on the state of one head, in place: decoding. Columns of a state are independent, so a
 * block of them is recalled from and then updated before the next: the second sweep finds it in a
 * near cache, and main memory is read and written once.
 */
final class ScanStep {
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;

  /** Vectors of a block of columns: their sums stay in registers. */
  private static final int VECTORS = 4;

  private ScanStep() {}

  static void run(ScanCall call, int t, int head, TokenFactors token) {
    LinearScanSpec spec = call.spec();
    token.load(call, t, head, ScanStep::exp);
    MemorySegment state = call.state().memory();
    long stateAt = call.state().at(0, head);
    long stride = (long) spec.valueDim() * Float.BYTES;
    int column = 0;
    for (; column + VECTORS * LANES <= spec.valueDim(); column += VECTORS * LANES) {
      block(call, t, head, token, state, stateAt + (long) column * Float.BYTES, stride, column);
    }
    for (; column + LANES <= spec.valueDim(); column += LANES) {
      vector(call, t, head, token, state, stateAt + (long) column * Float.BYTES, stride, column);
    }
    for (; column < spec.valueDim(); column++) {
      scalar(call, t, head, token, state, stateAt + (long) column * Float.BYTES, stride, column);
    }
  }

  /** e^x of every element, for x up to 87. */
  static void exp(float[] values) {
    int i = 0;
    for (; i + LANES <= values.length; i += LANES) {
      Exp2.upTo127(FloatVector.fromArray(FLOAT, values, i).mul(Exp2.LOG2_E)).intoArray(values, i);
    }
    for (; i < values.length; i++) {
      values[i] = (float) Math.exp(values[i]);
    }
  }

  private static FloatVector load(MemorySegment memory, long at, int vector) {
    return FloatVector.fromMemorySegment(
        FLOAT, memory, at + (long) vector * LANES * Float.BYTES, LE);
  }

  private static void store(FloatVector value, MemorySegment memory, long at, int vector) {
    value.intoMemorySegment(memory, at + (long) vector * LANES * Float.BYTES, LE);
  }

  /**
   * Four vectors of columns. What is recalled goes through {@code u} and {@code z} in memory: one
   * method whose vectors flow over branches makes C2 box them.
   */
  private static void block(
      ScanCall call,
      int t,
      int head,
      TokenFactors token,
      MemorySegment state,
      long at,
      long stride,
      int column) {
    Write write = token.spec().write();
    if (write != Write.ADD) {
      recall(token, state, at, stride, column);
    }
    if (write == Write.DELTA) {
      float[] u = token.v();
      float[] z = token.recalled();
      for (int j = column; j < column + VECTORS * LANES; j++) {
        u[j] = token.beta() * (u[j] - z[j]);
      }
    }
    int group = token.spec().groupSize();
    MemorySegment out = call.out().memory();
    long outAt = call.out().at(t, head * group) + (long) column * Float.BYTES;
    if (write == Write.LOW_RANK) {
      writeTwo(token, state, at, stride, column, out, outAt);
    } else {
      writeOne(token, state, at, stride, column, out, outAt);
    }
    for (int g = 1; g < group; g++) {
      long to = call.out().at(t, head * group + g) + (long) column * Float.BYTES;
      for (int vector = 0; vector < VECTORS; vector++) {
        respond(token, g, state, at + (long) vector * LANES * Float.BYTES, stride, out, to, vector);
      }
    }
  }

  private static void recall(
      TokenFactors token, MemorySegment state, long at, long stride, int column) {
    float[] recall = token.recall();
    FloatVector z0 = FloatVector.zero(FLOAT);
    FloatVector z1 = FloatVector.zero(FLOAT);
    FloatVector z2 = FloatVector.zero(FLOAT);
    FloatVector z3 = FloatVector.zero(FLOAT);
    for (int i = 0; i < recall.length; i++) {
      FloatVector factor = FloatVector.broadcast(FLOAT, recall[i]);
      long row = at + i * stride;
      z0 = load(state, row, 0).fma(factor, z0);
      z1 = load(state, row, 1).fma(factor, z1);
      z2 = load(state, row, 2).fma(factor, z2);
      z3 = load(state, row, 3).fma(factor, z3);
    }
    float[] z = token.recalled();
    z0.intoArray(z, column);
    z1.intoArray(z, column + LANES);
    z2.intoArray(z, column + 2 * LANES);
    z3.intoArray(z, column + 3 * LANES);
  }

  private static void writeOne(
      TokenFactors token,
      MemorySegment state,
      long at,
      long stride,
      int column,
      MemorySegment out,
      long outAt) {
    float[] u = token.v();
    FloatVector u0 = FloatVector.fromArray(FLOAT, u, column);
    FloatVector u1 = FloatVector.fromArray(FLOAT, u, column + LANES);
    FloatVector u2 = FloatVector.fromArray(FLOAT, u, column + 2 * LANES);
    FloatVector u3 = FloatVector.fromArray(FLOAT, u, column + 3 * LANES);
    FloatVector y0 = FloatVector.zero(FLOAT);
    FloatVector y1 = FloatVector.zero(FLOAT);
    FloatVector y2 = FloatVector.zero(FLOAT);
    FloatVector y3 = FloatVector.zero(FLOAT);
    float[] decay = token.decay();
    float[] k = token.k();
    float[] q = token.q();
    for (int i = 0; i < k.length; i++) {
      long row = at + i * stride;
      FloatVector d = FloatVector.broadcast(FLOAT, decay[i]);
      FloatVector key = FloatVector.broadcast(FLOAT, k[i]);
      FloatVector query = FloatVector.broadcast(FLOAT, q[i]);
      FloatVector s0 = load(state, row, 0).fma(d, u0.mul(key));
      FloatVector s1 = load(state, row, 1).fma(d, u1.mul(key));
      FloatVector s2 = load(state, row, 2).fma(d, u2.mul(key));
      FloatVector s3 = load(state, row, 3).fma(d, u3.mul(key));
      store(s0, state, row, 0);
      store(s1, state, row, 1);
      store(s2, state, row, 2);
      store(s3, state, row, 3);
      y0 = s0.fma(query, y0);
      y1 = s1.fma(query, y1);
      y2 = s2.fma(query, y2);
      y3 = s3.fma(query, y3);
    }
    store(y0, out, outAt, 0);
    store(y1, out, outAt, 1);
    store(y2, out, outAt, 2);
    store(y3, out, outAt, 3);
  }

  private static void writeTwo(
      TokenFactors token,
      MemorySegment state,
      long at,
      long stride,
      int column,
      MemorySegment out,
      long outAt) {
    float[] u = token.v();
    float[] z = token.recalled();
    FloatVector u0 = FloatVector.fromArray(FLOAT, u, column);
    FloatVector u1 = FloatVector.fromArray(FLOAT, u, column + LANES);
    FloatVector u2 = FloatVector.fromArray(FLOAT, u, column + 2 * LANES);
    FloatVector u3 = FloatVector.fromArray(FLOAT, u, column + 3 * LANES);
    FloatVector z0 = FloatVector.fromArray(FLOAT, z, column);
    FloatVector z1 = FloatVector.fromArray(FLOAT, z, column + LANES);
    FloatVector z2 = FloatVector.fromArray(FLOAT, z, column + 2 * LANES);
    FloatVector z3 = FloatVector.fromArray(FLOAT, z, column + 3 * LANES);
    FloatVector y0 = FloatVector.zero(FLOAT);
    FloatVector y1 = FloatVector.zero(FLOAT);
    FloatVector y2 = FloatVector.zero(FLOAT);
    FloatVector y3 = FloatVector.zero(FLOAT);
    float[] decay = token.decay();
    float[] k = token.k();
    float[] w = token.write();
    float[] q = token.q();
    for (int i = 0; i < k.length; i++) {
      long row = at + i * stride;
      FloatVector d = FloatVector.broadcast(FLOAT, decay[i]);
      FloatVector key = FloatVector.broadcast(FLOAT, k[i]);
      FloatVector put = FloatVector.broadcast(FLOAT, w[i]);
      FloatVector query = FloatVector.broadcast(FLOAT, q[i]);
      FloatVector s0 = z0.fma(put, load(state, row, 0).fma(d, u0.mul(key)));
      FloatVector s1 = z1.fma(put, load(state, row, 1).fma(d, u1.mul(key)));
      FloatVector s2 = z2.fma(put, load(state, row, 2).fma(d, u2.mul(key)));
      FloatVector s3 = z3.fma(put, load(state, row, 3).fma(d, u3.mul(key)));
      store(s0, state, row, 0);
      store(s1, state, row, 1);
      store(s2, state, row, 2);
      store(s3, state, row, 3);
      y0 = s0.fma(query, y0);
      y1 = s1.fma(query, y1);
      y2 = s2.fma(query, y2);
      y3 = s3.fma(query, y3);
    }
    store(y0, out, outAt, 0);
    store(y1, out, outAt, 1);
    store(y2, out, outAt, 2);
    store(y3, out, outAt, 3);
  }

  /** The further query heads of a group, from the state as it now is. */
  private static void respond(
      TokenFactors token,
      int g,
      MemorySegment state,
      long at,
      long stride,
      MemorySegment out,
      long outAt,
      int vector) {
    int rows = token.k().length;
    float[] q = token.q();
    FloatVector y = FloatVector.zero(FLOAT);
    for (int i = 0; i < rows; i++) {
      y = load(state, at + i * stride, 0).fma(FloatVector.broadcast(FLOAT, q[g * rows + i]), y);
    }
    store(y, out, outAt, vector);
  }

  private static void vector(
      ScanCall call,
      int t,
      int head,
      TokenFactors token,
      MemorySegment state,
      long at,
      long stride,
      int column) {
    Write write = token.spec().write();
    int rows = token.k().length;
    FloatVector u = FloatVector.fromArray(FLOAT, token.v(), column);
    FloatVector z = FloatVector.zero(FLOAT);
    if (write != Write.ADD) {
      for (int i = 0; i < rows; i++) {
        z = load(state, at + i * stride, 0).fma(FloatVector.broadcast(FLOAT, token.recall()[i]), z);
      }
      u = write == Write.DELTA ? u.sub(z).mul(token.beta()) : u;
    }
    for (int i = 0; i < rows; i++) {
      FloatVector s =
          load(state, at + i * stride, 0)
              .fma(FloatVector.broadcast(FLOAT, token.decay()[i]), u.mul(token.k()[i]));
      if (write == Write.LOW_RANK) {
        s = z.fma(FloatVector.broadcast(FLOAT, token.write()[i]), s);
      }
      store(s, state, at + i * stride, 0);
    }
    int group = token.spec().groupSize();
    for (int g = 0; g < group; g++) {
      long to = call.out().at(t, head * group + g) + (long) column * Float.BYTES;
      respond(token, g, state, at, stride, call.out().memory(), to, 0);
    }
  }

  private static void scalar(
      ScanCall call,
      int t,
      int head,
      TokenFactors token,
      MemorySegment state,
      long at,
      long stride,
      int column) {
    Write write = token.spec().write();
    int rows = token.k().length;
    float u = token.v()[column];
    float z = 0;
    if (write != Write.ADD) {
      for (int i = 0; i < rows; i++) {
        z += token.recall()[i] * state.get(Tensor.FLOAT, at + i * stride);
      }
      u = write == Write.DELTA ? token.beta() * (u - z) : u;
    }
    int group = token.spec().groupSize();
    for (int i = 0; i < rows; i++) {
      float s = token.decay()[i] * state.get(Tensor.FLOAT, at + i * stride) + token.k()[i] * u;
      state.set(
          Tensor.FLOAT, at + i * stride, write == Write.LOW_RANK ? s + token.write()[i] * z : s);
    }
    for (int g = 0; g < group; g++) {
      float y = 0;
      for (int i = 0; i < rows; i++) {
        y += token.q()[g * rows + i] * state.get(Tensor.FLOAT, at + i * stride);
      }
      call.out()
          .memory()
          .set(Tensor.FLOAT, call.out().at(t, head * group + g) + (long) column * Float.BYTES, y);
    }
  }
}
