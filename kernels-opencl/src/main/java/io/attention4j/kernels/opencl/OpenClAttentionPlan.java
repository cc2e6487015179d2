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
 * A spec's checks and the table of a step. States of key ranges lie in the context's scratch, since
 * one for each layer would take more memory than many a model's keys. Up to two kernels run per
 * {@link Segments#MEMORIES} pairs of buffers that pages lie in, for groups of many and of few query
 * vectors, and then {@code merge} over (row, query head).
 */
final class OpenClAttentionPlan implements AttentionPlan {
  private static final long[] ITEMS_2D = {RowKernels.ITEMS, 1};

  /** Arguments of the kernels before the memories of pages. */
  private static final int BEFORE_PAGES = 7;

  private final ClContext context;
  private final AttentionSpec spec;
  private final AttentionChecks checks;
  private final StepTable table;
  private final Object[] arguments = new Object[BEFORE_PAGES + 2 * Segments.MEMORIES];

  OpenClAttentionPlan(ClContext context, AttentionSpec spec) {
    this.context = context;
    this.spec = spec;
    this.checks = new AttentionChecks(spec);
    this.table = new StepTable(context, spec);
  }

  @Override
  public void run(AttentionBatch batch, AttentionInputs in, AttentionOutputs out) {
    checks.require(batch, in, out);
    int rows = batch.totalRows();
    if (rows == 0) {
      return;
    }
    table.fill(batch, in, out);
    // No other plan may use the scratch between the launches.
    synchronized (context) {
      launch(batch, in, out, rows);
    }
  }

  private void launch(AttentionBatch batch, AttentionInputs in, AttentionOutputs out, int rows) {
    ClBuffer states =
        context.scratch(Math.max(1, table.states()) * (spec.valueDim() + 2L) * Float.BYTES);
    ClBuffer words = table.upload();
    for (StepTable.Launch launch : table.launches()) {
      attend(batch, in.q(), words, states, launch);
    }
    Tensor lse = out.lse();
    ClBuffer target = DeviceMemory.of("out", out.out(), context);
    context.launch(
        AttentionSource.MERGE,
        "merge",
        new long[] {spec.queryHeads(), rows},
        ITEMS_2D,
        words,
        states,
        target,
        lse == null ? target : DeviceMemory.of("lse", lse, context));
  }

  private void attend(
      AttentionBatch batch, Tensor q, ClBuffer words, ClBuffer states, StepTable.Launch launch) {
    boolean aligned = table.segments().aligned();
    Tensor bits = batch.maskBits();
    Tensor bias = batch.bias();
    arguments[0] = words;
    arguments[1] = launch.workAt();
    arguments[2] = launch.memory();
    arguments[3] = DeviceMemory.of("q", q, context);
    arguments[4] = bits == null ? words : DeviceMemory.of("maskBits", bits, context);
    arguments[5] = bias == null ? words : DeviceMemory.of("bias", bias, context);
    arguments[6] = states;
    List<Segments.Memory> memories = table.segments().memories();
    int first = launch.memory() * Segments.MEMORIES;
    for (int i = 0; i < Segments.MEMORIES; i++) {
      // What is not there is not read.
      Segments.Memory memory = memories.get(Math.min(first + i, memories.size() - 1));
      arguments[BEFORE_PAGES + 2 * i] = memory.keys();
      arguments[BEFORE_PAGES + 2 * i + 1] = memory.values();
    }
    context.launch(
        launch.decode()
            ? AttentionSource.decode(spec, aligned, table.mostDecodeVectors())
            : AttentionSource.prefill(spec, aligned),
        "attend",
        new long[] {launch.groups()},
        RowKernels.GROUP,
        arguments);
  }

  @Override
  public void close() {
    table.close();
  }
}
