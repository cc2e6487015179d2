package io.attention4j.kernels.opencl;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.AttentionInputs;
import io.attention4j.engine.attention.AttentionOutputs;
import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.spi.AttentionChecks;
import io.attention4j.engine.spi.AttentionPlan;
import io.attention4j.engine.tensor.Tensor;
import java.util.List;

/**
 * A spec's programs, the table of a step and the states of key ranges. Two kernels run: {@code
 * attend} over (rows, KV head, key range) and {@code merge} over (row, query head).
 */
final class OpenClAttentionPlan implements AttentionPlan {
  /** Query vectors of a work group where there are enough of them. */
  private static final int VECTORS = 8;

  private static final long[] ITEMS_2D = {RowKernels.ITEMS, 1};

  /** Stride arguments of a tensor that is not there. */
  private static final long[] NO_STRIDES = new long[4];

  private final ClContext context;
  private final AttentionSpec spec;
  private final AttentionChecks checks;
  private final StepTable table;
  private final Variant decode;
  private final Variant prefill;
  private ClBuffer states;

  /** A program and its sizes. */
  record Variant(int vectors, int tile, ClProgramCache.Source source) {}

  OpenClAttentionPlan(ClContext context, AttentionSpec spec) {
    this.context = context;
    this.spec = spec;
    this.checks = new AttentionChecks(spec);
    this.table = new StepTable(context, spec);
    int most = AttentionSource.tile(spec, VECTORS, context.device()) == 0 ? 1 : VECTORS;
    this.prefill = variant(most);
    this.decode = variant(Math.min(most, Integer.highestOneBit(2 * spec.groupSize() - 1)));
  }

  private Variant variant(int vectors) {
    int tile = AttentionSource.tile(spec, vectors, context.device());
    return new Variant(vectors, tile, AttentionSource.of(spec, vectors, tile));
  }

  @Override
  public void run(AttentionBatch batch, AttentionInputs in, AttentionOutputs out) {
    checks.require(batch, in, out);
    int rows = batch.totalRows();
    if (rows == 0) {
      return;
    }
    Variant variant = rows == batch.sequences() ? decode : prefill;
    List<StepTable.Launch> launches = table.fill(batch, in.kv(), variant);
    growStates(table.states() * (spec.valueDim() + 2L) * Float.BYTES);
    ClBuffer words = table.upload();
    for (StepTable.Launch launch : launches) {
      attend(batch, in.q(), words, variant, launch);
    }
    merge(out, words, variant, rows);
  }

  private void growStates(long bytes) {
    if (states == null || states.byteSize() < bytes) {
      closeStates();
      states = context.allocate(bytes);
    }
  }

  private void attend(
      AttentionBatch batch, Tensor q, ClBuffer words, Variant variant, StepTable.Launch launch) {
    Tensor bits = batch.maskBits();
    Tensor bias = batch.bias();
    long[] bitsStrides = broadcastStrides(bits);
    long[] biasStrides = broadcastStrides(bias);
    context.launch(
        variant.source(),
        "attend",
        new long[] {launch.groups()},
        RowKernels.GROUP,
        words,
        launch.workAt(),
        table.segmentsAt(),
        table.sequencesAt(),
        table.sequenceWords(),
        spec.groupSize(),
        spec.scale(),
        DeviceMemory.of("q", q, context),
        DeviceMemory.floatOffset(q),
        q.stride(0),
        q.stride(1),
        launch.keys(),
        launch.values(),
        bits == null ? words : DeviceMemory.of("maskBits", bits, context),
        bits == null ? 0L : bits.byteOffset(),
        bitsStrides[0],
        bitsStrides[1],
        bitsStrides[2],
        bits == null ? 0L : bits.stride(3),
        bits == null ? 0L : bits.extent(3),
        bias == null ? words : DeviceMemory.of("bias", bias, context),
        bias == null ? 0L : DeviceMemory.floatOffset(bias),
        biasStrides[0],
        biasStrides[1],
        biasStrides[2],
        biasStrides[3],
        table.slopesAt(),
        states);
  }

  /** Strides where a dimension of extent 1 repeats. */
  private static long[] broadcastStrides(Tensor tensor) {
    if (tensor == null) {
      return NO_STRIDES;
    }
    long[] strides = new long[4];
    for (int i = 0; i < 4; i++) {
      strides[i] = tensor.extent(i) == 1 ? 0 : tensor.stride(i);
    }
    return strides;
  }

  private void merge(AttentionOutputs out, ClBuffer words, Variant variant, int rows) {
    Tensor result = out.out();
    Tensor lse = out.lse();
    ClBuffer target = DeviceMemory.of("out", result, context);
    context.launch(
        variant.source(),
        "merge",
        new long[] {spec.queryHeads(), rows},
        ITEMS_2D,
        words,
        table.rowsAt(),
        table.sequencesAt(),
        table.sequenceWords(),
        spec.groupSize(),
        table.sinksAt(),
        states,
        target,
        DeviceMemory.floatOffset(result),
        result.stride(0),
        result.stride(1),
        lse == null ? target : DeviceMemory.of("lse", lse, context),
        lse == null ? 0L : DeviceMemory.floatOffset(lse),
        lse == null ? 0 : 1);
  }

  private void closeStates() {
    if (states != null) {
      states.close();
      states = null;
    }
  }

  @Override
  public void close() {
    table.close();
    closeStates();
  }
}
