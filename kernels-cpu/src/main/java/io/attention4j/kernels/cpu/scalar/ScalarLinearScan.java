package io.attention4j.kernels.cpu.scalar;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.spi.LinearScanSpec.Write;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.recurrent.LinearScanHeads;
import io.attention4j.kernels.cpu.recurrent.ScanCall;
import io.attention4j.kernels.cpu.recurrent.TokenFactors;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/** The recurrence as its definition reads, token by token in f32. */
final class ScalarLinearScan extends LinearScanHeads {
  private static final class Scratch {
    private TokenFactors token;
    private float[] state;
    private float[] recalled;
    private float[] out;
  }

  private final Scratch[] scratch;

  ScalarLinearScan(Parallel workers) {
    super(workers);
    scratch = new Scratch[threads()];
    for (int i = 0; i < scratch.length; i++) {
      scratch[i] = new Scratch();
    }
  }

  @Override
  protected void scan(ScanCall call, int from, int to, int worker) {
    Scratch s = scratch[worker];
    if (s.token == null || !s.token.spec().equals(call.spec())) {
      s.token = new TokenFactors(call.spec());
      s.state = new float[call.spec().keyDim() * call.spec().valueDim()];
      s.recalled = new float[call.spec().valueDim()];
      s.out = new float[call.spec().valueDim()];
    }
    for (int head = from; head < to; head++) {
      scan(call, head, s);
    }
  }

  private static void scan(ScanCall call, int head, Scratch s) {
    call.state().copy(0, head, s.state, 0);
    for (int t = 0; t < call.tokens(); t++) {
      s.token.load(call, t, head, ScalarLinearScan::exp);
      advance(s);
      for (int g = 0; g < call.spec().groupSize(); g++) {
        respond(s, g);
        long at = call.out().at(t, head * call.spec().groupSize() + g);
        MemorySegment.copy(s.out, 0, call.out().memory(), Tensor.FLOAT, at, s.out.length);
      }
    }
    long at = call.state().at(0, head);
    MemorySegment.copy(s.state, 0, call.state().memory(), Tensor.FLOAT, at, s.state.length);
  }

  private static void exp(float[] values) {
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) Math.exp(values[i]);
    }
  }

  private static void advance(Scratch s) {
    TokenFactors token = s.token;
    int columns = s.recalled.length;
    Write write = token.spec().write();
    float[] u = token.v();
    if (write != Write.ADD) {
      Arrays.fill(s.recalled, 0);
      for (int i = 0; i < token.k().length; i++) {
        for (int j = 0; j < columns; j++) {
          s.recalled[j] += token.recall()[i] * s.state[i * columns + j];
        }
      }
      if (write == Write.DELTA) {
        for (int j = 0; j < columns; j++) {
          u[j] = token.beta() * (u[j] - s.recalled[j]);
        }
      }
    }
    for (int i = 0; i < token.k().length; i++) {
      for (int j = 0; j < columns; j++) {
        float next = token.decay()[i] * s.state[i * columns + j] + token.k()[i] * u[j];
        if (write == Write.LOW_RANK) {
          next += token.write()[i] * s.recalled[j];
        }
        s.state[i * columns + j] = next;
      }
    }
  }

  private static void respond(Scratch s, int g) {
    int columns = s.out.length;
    int rows = s.token.k().length;
    Arrays.fill(s.out, 0);
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < columns; j++) {
        s.out[j] += s.token.q()[g * rows + i] * s.state[i * columns + j];
      }
    }
  }
}
