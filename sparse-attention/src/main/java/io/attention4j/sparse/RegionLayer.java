package io.attention4j.sparse;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.operator.AttentionLayer;
import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.LayerInputs;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.OperatorContext;
import io.attention4j.engine.spi.RopeKernel;
import io.attention4j.engine.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/** A layer of {@link RegionOperator}. */
final class RegionLayer implements AttentionLayer, SelectionClock {
  private final LayerShape shape;
  private final OperatorContext context;
  private final RegionMethod method;
  private final RegionKernels kernels;
  private final RopeKernel rope;
  private final PagedKv pages;
  private long selectionNanos;

  RegionLayer(LayerShape shape, OperatorContext context, RegionMethod method) {
    this.shape = shape;
    this.context = context;
    this.method = method;
    kernels = new RegionKernels(shape, context);
    rope = shape.rope() == null ? null : context.kernels().select(RopeKernel.class, shape.rope());
    pages = new PagedKv(shape.kvHeads());
  }

  @Override
  public LayerState newState() {
    List<SummaryPages> stores = new ArrayList<>();
    for (int i = 0; i < method.stores(); i++) {
      stores.add(
          new SummaryPages(
              context.kernels(), shape.queryHeads(), shape.headDim(), shape.valueDim()));
    }
    return new RegionState(
        context.caches().create(shape),
        method.keepsQueries() ? shape.queryHeads() * shape.headDim() : 0,
        stores,
        method::count);
  }

  @Override
  public void append(LayerState[] states, LayerInputs in) {
    if (method.keepsQueries()) {
      throw new IllegalStateException(
          "attention of layer "
              + shape.layer()
              + " depends on earlier queries, so tokens cannot be appended without them");
    }
    appendKeys(states, in);
  }

  private void appendKeys(LayerState[] states, LayerInputs in) {
    AttentionBatch batch = in.batch();
    if (rope != null) {
      rope.run(shape.rope(), in.k(), batch.totalRows(), in.rope().cos(), in.rope().sin());
    }
    for (int s = 0; s < batch.sequences(); s++) {
      KvCache cache = ((RegionState) states[s]).cache();
      cache.append(in.k(), in.v(), batch.firstRow(s), batch.rows(s));
    }
  }

  @Override
  public void attend(LayerState[] states, LayerInputs in, Tensor out) {
    AttentionBatch batch = in.batch();
    if (rope != null) {
      rope.run(shape.rope(), in.q(), batch.totalRows(), in.rope().cos(), in.rope().sin());
    }
    appendKeys(states, in);
    for (int s = 0; s < batch.sequences(); s++) {
      if (batch.rows(s) > 0) {
        attend((RegionState) states[s], batch, s, in.q(), out);
      }
    }
  }

  private void attend(RegionState state, AttentionBatch batch, int s, Tensor q, Tensor out) {
    int from = Math.toIntExact(batch.firstPosition(s));
    int rows = batch.rows(s);
    if (shape.mask() instanceof Mask.All && from > 0) {
      throw new IllegalStateException(
          "layer "
              + shape.layer()
              + " is bidirectional and got rows from position "
              + from
              + "; give the whole sequence in one step");
    }
    if (method.keepsQueries()) {
      state.keepQueries(q, batch.firstRow(s), rows);
    }
    pages.reset(1);
    state.cache().fill(pages, 0);
    SparseState.requireWhole(state.cache(), pages, 0);
    Tensor ofRows = q.slice(0, batch.firstRow(s), rows);
    if (shape.mask() instanceof Mask.All) {
      state.stores().forEach(store -> store.truncateTo(0));
    }
    long start = System.nanoTime() - kernels.kernelNanos();
    kernels.begin(ofRows, out.slice(0, batch.firstRow(s), rows), rows);
    method.attend(new RegionStep(shape, kernels, state, pages, ofRows, from, from + rows));
    selectionNanos += System.nanoTime() - kernels.kernelNanos() - start;
    kernels.end();
  }

  @Override
  public long selectionNanos() {
    return selectionNanos;
  }

  @Override
  public void close() {
    kernels.close();
  }
}
