package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.kernels.cpu.recurrent.SelectiveScanColumns;
import jdk.incubator.vector.FloatVector;

/**
 * Selective scans with a vector of columns whose state stays in a register for a chunk of tokens.
 * The block is a whole number of vectors, so the last one computes columns that nobody stores.
 */
final class SimdSelectiveScan extends SelectiveScanColumns {
  SimdSelectiveScan(Parallel workers) {
    super(workers);
  }

  @Override
  protected void exponential(int tokens, int count, Scratch s) {
    float[] decay = s.decay;
    float[] input = s.input;
    float[] out = s.out;
    float[] b = s.b;
    float[] c = s.c;
    for (int j = 0; j < count; j += LANES) {
      FloatVector state = FloatVector.fromArray(FLOAT, s.state, j);
      FloatVector rate = FloatVector.fromArray(FLOAT, s.a, j).mul(Exp2.LOG2_E);
      for (int t = 0; t < tokens; t++) {
        int at = t * BLOCK + j;
        FloatVector factor = Exp2.of(FloatVector.fromArray(FLOAT, decay, at).mul(rate));
        FloatVector written = FloatVector.fromArray(FLOAT, input, at).mul(b[t]);
        state = state.fma(factor, written);
        state
            .fma(FloatVector.broadcast(FLOAT, c[t]), FloatVector.fromArray(FLOAT, out, at))
            .intoArray(out, at);
      }
      state.intoArray(s.state, j);
    }
  }

  @Override
  protected void factor(int tokens, int count, Scratch s) {
    float[] decay = s.decay;
    float[] input = s.input;
    float[] out = s.out;
    float[] b = s.b;
    float[] c = s.c;
    for (int j = 0; j < count; j += LANES) {
      FloatVector state = FloatVector.fromArray(FLOAT, s.state, j);
      for (int t = 0; t < tokens; t++) {
        int at = t * BLOCK + j;
        FloatVector written = FloatVector.fromArray(FLOAT, input, at).mul(b[t]);
        state = state.fma(FloatVector.fromArray(FLOAT, decay, at), written);
        state
            .fma(FloatVector.broadcast(FLOAT, c[t]), FloatVector.fromArray(FLOAT, out, at))
            .intoArray(out, at);
      }
      state.intoArray(s.state, j);
    }
  }
}
