package io.attention4j.kernels.opencl;

import io.attention4j.engine.spi.LinearScanInputs;
import io.attention4j.engine.spi.LinearScanKernel;
import io.attention4j.engine.spi.LinearScanSpec;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.tensor.Tensor;

/** A column of a state per item, tokens in chunks through local memory, see scan.cl. */
final class OpenClLinearScan implements LinearScanKernel {
  /** Elements of a state's column that an item keeps in registers. */
  private static final int MOST_KEY_DIM = 256;

  /** Floats of queries, keys and decays in local memory. */
  private static final int LOCAL_FLOATS = 4096;

  private static final int MOST_CHUNK_TOKENS = 64;
  private static final long[] ITEMS_2D = {RowKernels.ITEMS, 1};

  private final ClContext context;

  OpenClLinearScan(ClContext context) {
    this.context = context;
  }

  @Override
  public Support supports(LinearScanSpec spec) {
    if (spec.write() == LinearScanSpec.Write.LOW_RANK) {
      return Support.no(
          "the write LOW_RANK (RWKV-7) has no OpenCL kernel; use cpu.simd or cpu.scalar");
    }
    if (spec.keyDim() > MOST_KEY_DIM) {
      return Support.no("keyDim " + spec.keyDim() + " is more than " + MOST_KEY_DIM);
    }
    if (floatsPerToken(spec) > LOCAL_FLOATS) {
      return Support.no(
          spec.groupSize()
              + " query heads of a state with keyDim "
              + spec.keyDim()
              + " need more local memory than "
              + LOCAL_FLOATS * Float.BYTES
              + " bytes");
    }
    return Support.YES;
  }

  private static int floatsPerToken(LinearScanSpec spec) {
    int perKey = spec.decay() == LinearScanSpec.Decay.KEY ? 2 : 1;
    return (spec.groupSize() + perKey) * spec.keyDim();
  }

  @Override
  public void run(
      LinearScanSpec spec, LinearScanInputs in, int firstRow, int rows, Tensor state, Tensor out) {
    TensorChecks.requireLinearScan(spec, in, firstRow, rows, state, out);
    if (supports(spec) instanceof Support.No no) {
      throw new IllegalArgumentException(no.reason());
    }
    if (rows == 0) {
      return;
    }
    int chunk = Math.min(MOST_CHUNK_TOKENS, LOCAL_FLOATS / floatsPerToken(spec));
    String options =
        "-DKEY_DIM="
            + spec.keyDim()
            + " -DCHUNK="
            + chunk
            + " -DGROUP="
            + spec.groupSize()
            + " -DDECAYS="
            + spec.decay().ordinal()
            + " -DDELTA="
            + (spec.write() == LinearScanSpec.Write.DELTA ? 1 : 0);
    ClBuffer q = DeviceMemory.of("q", in.q(), context);
    context.launch(
        ClProgramCache.Source.of("scan", options),
        "scan",
        new long[] {Math.ceilDiv(spec.valueDim(), RowKernels.ITEMS), spec.stateHeads()},
        ITEMS_2D,
        rows,
        spec.stateHeads(),
        spec.valueDim(),
        spec.scale(),
        q,
        DeviceMemory.rowOffset(in.q(), firstRow),
        DeviceMemory.of("k", in.k(), context),
        DeviceMemory.rowOffset(in.k(), firstRow),
        DeviceMemory.of("v", in.v(), context),
        DeviceMemory.rowOffset(in.v(), firstRow),
        in.decay() == null ? q : DeviceMemory.of("decay", in.decay(), context),
        in.decay() == null ? 0L : DeviceMemory.rowOffset(in.decay(), firstRow),
        in.beta() == null ? q : DeviceMemory.of("beta", in.beta(), context),
        in.beta() == null ? 0L : DeviceMemory.rowOffset(in.beta(), firstRow),
        DeviceMemory.of("state", state, context),
        DeviceMemory.floatOffset(state),
        DeviceMemory.of("out", out, context),
        DeviceMemory.rowOffset(out, firstRow));
  }
}
