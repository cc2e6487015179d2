package io.attention4j.kernels.cpu.simd;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.kernels.cpu.recurrent.LinearScanHeads;
import io.attention4j.kernels.cpu.recurrent.ScanCall;
import io.attention4j.kernels.cpu.recurrent.TokenFactors;

/** Scans with vectors along the columns of the state: token by token, or in chunks of many. */
final class SimdLinearScan extends LinearScanHeads {
  /** Tokens from which on a chunk's products pay for their preparation. */
  private static final int MIN_CHUNK = 8;

  private final TokenFactors[] tokens;
  private final ChunkScan[] chunks;

  SimdLinearScan(Parallel workers) {
    super(workers);
    tokens = new TokenFactors[threads()];
    chunks = new ChunkScan[threads()];
  }

  @Override
  protected void scan(ScanCall call, int from, int to, int worker) {
    if (call.tokens() >= MIN_CHUNK && ChunkScan.takes(call.spec())) {
      if (chunks[worker] == null || !chunks[worker].spec().equals(call.spec())) {
        chunks[worker] = new ChunkScan(call.spec());
      }
      chunks[worker].run(call, from, to);
      return;
    }
    if (tokens[worker] == null || !tokens[worker].spec().equals(call.spec())) {
      tokens[worker] = new TokenFactors(call.spec());
    }
    for (int head = from; head < to; head++) {
      for (int t = 0; t < call.tokens(); t++) {
        ScanStep.run(call, t, head, tokens[worker]);
      }
    }
  }
}
