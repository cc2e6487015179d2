package io.attention4j.kernels.cpu.recurrent;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.spi.LinearScanInputs;
import io.attention4j.engine.spi.LinearScanKernel;
import io.attention4j.engine.spi.LinearScanSpec;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.rows.RowPieces;

/** A scan whose state heads are computed independently, each whole by one thread. */
public abstract class LinearScanHeads extends RowPieces implements LinearScanKernel {
  private final ScanCall call = new ScanCall();

  /** Runs on these workers. */
  protected LinearScanHeads(Parallel workers) {
    super(workers);
  }

  @Override
  public final Support supports(LinearScanSpec spec) {
    return (long) spec.keyDim() * spec.valueDim() <= 1 << 24
        ? Support.YES
        : new Support.No(
            "states of "
                + spec.keyDim()
                + " x "
                + spec.valueDim()
                + " are larger than 2^24 elements");
  }

  @Override
  public final synchronized void run(
      LinearScanSpec spec, LinearScanInputs in, int firstRow, int rows, Tensor state, Tensor out) {
    TensorChecks.requireLinearScan(spec, in, firstRow, rows, state, out);
    call.bind(spec, in, firstRow, rows, state, out);
    // Few pieces: a thread goes through the tokens with all its heads.
    sweep(spec.stateHeads(), (long) rows * spec.keyDim() * spec.valueDim(), 1);
    call.clear();
  }

  @Override
  protected final void range(long from, long to, int worker) {
    scan(call, (int) from, (int) to, worker);
  }

  /** Computes all tokens of the state heads [from, to). */
  protected abstract void scan(ScanCall call, int from, int to, int worker);
}
