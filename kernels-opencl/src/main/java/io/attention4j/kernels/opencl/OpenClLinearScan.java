package io.attention4j.kernels.opencl;

import io.attention4j.engine.spi.LinearScanInputs;
import io.attention4j.engine.spi.LinearScanKernel;
import io.attention4j.engine.spi.LinearScanSpec;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.tensor.Tensor;
import java.util.Arrays;

/** A column of a state per item, tokens in chunks through local memory, see scan.cl. */
final class OpenClLinearScan implements LinearScanKernel {
  /** Elements of a state's column that an item keeps in registers, of which a program is made. */
  private static final int[] KEY_DIMS = {16, 64, 128, 256};

  private static final int MOST_KEY_DIM = 256;

  /** Floats of a chunk's vectors in local memory. */
  private static final int LOCAL_FLOATS = 4096;

  private static final long[] ITEMS_2D = {RowKernels.ITEMS, 1};

  private final ClContext context;

  OpenClLinearScan(ClContext context) {
    this.context = context;
  }

  @Override
  public Support supports(LinearScanSpec spec) {
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

  private static int roundedKeyDim(LinearScanSpec spec) {
    return Arrays.stream(KEY_DIMS).filter(dim -> dim >= spec.keyDim()).findFirst().orElseThrow();
  }

  private static int floatsPerToken(LinearScanSpec spec) {
    int decays = spec.decay() == LinearScanSpec.Decay.KEY ? 1 : 0;
    int recall = spec.write() == LinearScanSpec.Write.LOW_RANK ? 2 : 0;
    return (spec.groupSize() + 1 + decays + recall) * roundedKeyDim(spec);
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
    ClBuffer q = DeviceMemory.of("q", in.q(), context);
    context.launch(
        ClProgramCache.Source.of("scan", "-DKEY_DIM=" + roundedKeyDim(spec)),
        "scan",
        new long[] {Math.ceilDiv(spec.valueDim(), RowKernels.ITEMS), spec.stateHeads()},
        ITEMS_2D,
        rows,
        spec.stateHeads(),
        spec.groupSize(),
        spec.keyDim(),
        spec.valueDim(),
        spec.scale(),
        spec.decay().ordinal(),
        spec.write().ordinal(),
        LOCAL_FLOATS / floatsPerToken(spec),
        q,
        DeviceMemory.rowOffset(in.q(), firstRow),
        DeviceMemory.of("k", in.k(), context),
        DeviceMemory.rowOffset(in.k(), firstRow),
        DeviceMemory.of("v", in.v(), context),
        DeviceMemory.rowOffset(in.v(), firstRow),
        orOther("decay", in.decay(), q),
        rowOffset(in.decay(), firstRow),
        orOther("beta", in.beta(), q),
        rowOffset(in.beta(), firstRow),
        orOther("read", in.read(), q),
        rowOffset(in.read(), firstRow),
        orOther("write", in.write(), q),
        rowOffset(in.write(), firstRow),
        DeviceMemory.of("state", state, context),
        DeviceMemory.floatOffset(state),
        DeviceMemory.of("out", out, context),
        DeviceMemory.rowOffset(out, firstRow));
  }

  /** The buffer of a tensor, or for null another that the kernel then does not read. */
  private ClBuffer orOther(String name, Tensor tensor, ClBuffer other) {
    return tensor == null ? other : DeviceMemory.of(name, tensor, context);
  }

  private static long rowOffset(Tensor tensor, int row) {
    return tensor == null ? 0 : DeviceMemory.rowOffset(tensor, row);
  }
}
