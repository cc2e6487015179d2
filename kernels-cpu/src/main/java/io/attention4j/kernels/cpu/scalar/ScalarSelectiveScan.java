package io.attention4j.kernels.cpu.scalar;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.kernels.cpu.recurrent.SelectiveScanColumns;

/** Selective scans in plain loops. */
final class ScalarSelectiveScan extends SelectiveScanColumns {
  ScalarSelectiveScan(Parallel workers) {
    super(workers);
  }

  @Override
  protected void exponential(int tokens, int count, Scratch s) {
    for (int j = 0; j < count; j++) {
      float state = s.state[j];
      for (int t = 0; t < tokens; t++) {
        int at = t * BLOCK + j;
        float factor = (float) Math.exp(s.decay[at] * s.a[j]);
        state = factor * state + s.b[t] * s.input[at];
        s.out[at] += s.c[t] * state;
      }
      s.state[j] = state;
    }
  }

  @Override
  protected void factor(int tokens, int count, Scratch s) {
    for (int j = 0; j < count; j++) {
      float state = s.state[j];
      for (int t = 0; t < tokens; t++) {
        int at = t * BLOCK + j;
        state = s.decay[at] * state + s.b[t] * s.input[at];
        s.out[at] += s.c[t] * state;
      }
      s.state[j] = state;
    }
  }
}
