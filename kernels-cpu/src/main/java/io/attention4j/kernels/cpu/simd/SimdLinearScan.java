package io.attention4j.kernels.cpu.simd;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.kernels.cpu.recurrent.LinearScanHeads;
import io.attention4j.kernels.cpu.recurrent.ScanCall;
import io.attention4j.kernels.cpu.recurrent.TokenFactors;

/** Scans with vectors along the columns of the state. */
final class SimdLinearScan extends LinearScanHeads {
  private final TokenFactors[] tokens;

  SimdLinearScan(Parallel workers) {
    super(workers);
    tokens = new TokenFactors[threads()];
  }

  @Override
  protected void scan(ScanCall call, int head, int worker) {
    if (tokens[worker] == null || !tokens[worker].spec().equals(call.spec())) {
      tokens[worker] = new TokenFactors(call.spec());
    }
    for (int t = 0; t < call.tokens(); t++) {
      ScanStep.run(call, t, head, tokens[worker]);
    }
  }
}
