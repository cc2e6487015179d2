package io.attention4j.sparse;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.AttentionInputs;
import io.attention4j.engine.attention.AttentionOutputs;
import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.attention.Normalizer;
import io.attention4j.engine.attention.OnlineSoftmax;
import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.attention.Selection;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.OperatorContext;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.spi.AttentionKernel;
import io.attention4j.engine.spi.AttentionPlan;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * Attention of the rows of one sequence in parts: over lists of the cache's keys and of summaries.
 * The parts of a row read disjoint keys and merge by their LSE.
 */
final class RegionKernels implements AutoCloseable {
  /** Which listed keys a row sees, by position. */
  enum Sees {
    /** All. */
    ALL(new Mask.All(), 0),
    /** Those at or before it. */
    UP_TO(new Mask.Causal(), 0),
    /** Those before it. */
    BEFORE(new Mask.Causal(), -1),
    /** Those at or after it. */
    FROM(new Mask.Window(0, Mask.Window.UNBOUNDED), 0),
    /** Those after it. */
    AFTER(new Mask.Window(0, Mask.Window.UNBOUNDED), 1);

    private final Mask mask;
    private final int shift;

    Sees(Mask mask, int shift) {
      this.mask = mask;
      this.shift = shift;
    }
  }

  private final LayerShape shape;
  private final OperatorContext context;
  private final Map<Sees, AttentionPlan> ofCache = new EnumMap<>(Sees.class);
  private final Map<Sees, AttentionPlan> ofSummaries = new EnumMap<>(Sees.class);
  private final AttentionBatch batch = new AttentionBatch();
  private final PagedKv summaryTable;

  // Of the rows at hand.
  private Device.TensorArena arena;
  private Tensor q;
  private Tensor out;
  private Tensor lse;
  private Tensor partOut;
  private Tensor partLse;
  private boolean isFirst;
  private long kernelNanos;

  RegionKernels(LayerShape shape, OperatorContext context) {
    this.shape = shape;
    this.context = context;
    summaryTable = new PagedKv(shape.queryHeads());
  }

  /** Time in attention kernels and merges since the start. */
  long kernelNanos() {
    return kernelNanos;
  }

  KernelSelector kernels() {
    return context.kernels();
  }

  Parallel workers() {
    return kernels().device().workers();
  }

  /** Starts rows whose parts {@link #add} brings; {@link #end} ends them. */
  void begin(Tensor queries, Tensor result, int rows) {
    arena = kernels().device().newArena();
    q = queries;
    out = result;
    lse = arena.allocate(DType.F32, rows, shape.queryHeads());
    partOut = arena.allocate(DType.F32, rows, shape.queryHeads(), shape.valueDim());
    partLse = arena.allocate(DType.F32, rows, shape.queryHeads());
    isFirst = true;
  }

  /** Adds a part over the cache's keys; groups count rows from 0 and are of sequence 0. */
  void add(PagedKv pages, long firstPosition, Sees sees, KeyGroups groups) {
    part(plan(ofCache, sees), pages, firstPosition + sees.shift, groups);
  }

  /** Adds a part over summaries, whose slots count over the stores in order. */
  void add(List<SummaryPages> stores, long firstPosition, Sees sees, KeyGroups groups) {
    if (groups.isEmpty()) {
      return;
    }
    SummaryPages.fill(summaryTable, stores);
    part(plan(ofSummaries, sees), summaryTable, firstPosition + sees.shift, groups);
  }

  private void part(AttentionPlan plan, PagedKv pages, long firstPosition, KeyGroups groups) {
    if (groups.isEmpty()) {
      return;
    }
    batch.reset();
    batch.add(Math.toIntExact(lse.extent(0)), firstPosition);
    AttentionInputs in = new AttentionInputs(q, pages, new Selection.Gathered(groups.selection()));
    long start = System.nanoTime();
    plan.run(
        batch,
        in,
        isFirst ? new AttentionOutputs(out, lse) : new AttentionOutputs(partOut, partLse));
    if (!isFirst) {
      OnlineSoftmax.merge(out, lse, partOut, partLse, workers());
    }
    kernelNanos += System.nanoTime() - start;
    isFirst = false;
  }

  /** Joins the sinks and ends the rows. */
  void end() {
    if (!shape.sinks().isEmpty()) {
      float[] sinks = new float[shape.queryHeads()];
      for (int h = 0; h < sinks.length; h++) {
        sinks[h] = shape.sinks().get(h);
      }
      OnlineSoftmax.addSink(out, lse, sinks);
    }
    arena.close();
  }

  /**
   * Plain attention of some queries to lists of the cache's keys.
   *
   * @param queries [rows, queryHeads, headDim]
   * @return F32 [rows, queryHeads, valueDim] in the arena
   */
  Tensor values(
      Device.TensorArena owner,
      Tensor queries,
      PagedKv pages,
      long firstPosition,
      Sees sees,
      KeyGroups groups) {
    int count = Math.toIntExact(queries.extent(0));
    Tensor result = owner.allocate(DType.F32, count, shape.queryHeads(), shape.valueDim());
    batch.reset();
    batch.add(count, firstPosition + sees.shift);
    AttentionInputs in =
        new AttentionInputs(queries, pages, new Selection.Gathered(groups.selection()));
    long start = System.nanoTime();
    plan(ofCache, sees).run(batch, in, new AttentionOutputs(result, null));
    kernelNanos += System.nanoTime() - start;
    return result;
  }

  /** Rows [rows, queryHeads, dim] as a tensor. */
  Tensor upload(Device.TensorArena owner, float[] rows, int dim) {
    int count = rows.length / shape.queryHeads() / dim;
    Tensor tensor = owner.allocate(DType.F32, count, shape.queryHeads(), dim);
    kernels().device().upload(MemorySegment.ofArray(rows), tensor);
    return tensor;
  }

  /** Rows of equal length, one after the other. */
  static float[] joined(float[][] rows) {
    float[] all = new float[rows.length * rows[0].length];
    for (int r = 0; r < rows.length; r++) {
      System.arraycopy(rows[r], 0, all, r * rows[r].length, rows[r].length);
    }
    return all;
  }

  private AttentionPlan plan(Map<Sees, AttentionPlan> plans, Sees sees) {
    return plans.computeIfAbsent(
        sees,
        _ -> {
          boolean summaries = plans == ofSummaries;
          AttentionSpec spec =
              new AttentionSpec(
                  shape.queryHeads(),
                  summaries ? shape.queryHeads() : shape.kvHeads(),
                  shape.headDim(),
                  shape.valueDim(),
                  shape.scale(),
                  new Normalizer.Softmax(),
                  sees.mask,
                  shape.modifiers(),
                  List.of(), // a sink counts once, when the parts have merged
                  summaries ? KvFormat.F32 : context.caches().keyFormat(),
                  summaries ? KvFormat.F32 : context.caches().valueFormat(),
                  AttentionSpec.SelectionKind.GATHERED);
          return kernels().select(AttentionKernel.class, spec).plan(spec);
        });
  }

  @Override
  public void close() {
    ofCache.values().forEach(AttentionPlan::close);
    ofSummaries.values().forEach(AttentionPlan::close);
  }
}
