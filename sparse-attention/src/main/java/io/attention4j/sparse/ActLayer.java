package io.attention4j.sparse;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.AttentionInputs;
import io.attention4j.engine.attention.AttentionOutputs;
import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.attention.Selection;
import io.attention4j.engine.operator.AttentionLayer;
import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.LayerInputs;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.spi.AttentionPlan;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.RopeKernel;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.util.Arrays;
import java.util.BitSet;

/**
 * A layer of {@link Act}. With (oS, M) the attention over a row's sinks and their mass, and oR that
 * over its other keys, dense attention is M oS + (1 - M) oR and the calibrated one is beta M oS +
 * (1 - beta M) oR. A row without mass beside its sinks stays as it is.
 */
final class ActLayer implements AttentionLayer {
  /**
   * Mass of the sinks up to which the rest is what the dense output leaves; above it the difference
   * would lose digits and the rest is summed key by key.
   */
  private static final double SUBTRACTED_MASS = 0.5;

  private final LayerShape shape;
  private final Act.Options options;
  private final KvCache.Factory caches;
  private final Device device;
  private final RopeKernel rope;
  private final AttentionPlan plan;
  private final PagedKv table;
  private final int[] heads;
  private final HeadWeights weights;
  private final float[] key;
  private final float[] value;
  private final double[] mass = new double[HeadWeights.ROWS];
  private final double[] restMass = new double[HeadWeights.ROWS];
  private final double[][] sinkSums;
  private final double[][] restSums;
  private double[][] stored = new double[0][]; // strict: [key][row] weights of a block
  private Device.TensorArena lseArena;
  private Tensor lse;

  ActLayer(
      LayerShape shape,
      Act.Options options,
      KvCache.Factory caches,
      Device device,
      RopeKernel rope,
      AttentionPlan plan) {
    this.shape = shape;
    this.options = options;
    this.caches = caches;
    this.device = device;
    this.rope = rope;
    this.plan = plan;
    table = new PagedKv(shape.kvHeads());
    BitSet chosen = new BitSet();
    chosen.set(0, shape.queryHeads());
    if (options.heads() != null) {
      chosen.and(options.heads());
    }
    heads = options.beta() == 1 ? new int[0] : chosen.stream().toArray();
    weights = new HeadWeights(shape);
    key = new float[shape.headDim()];
    value = new float[shape.valueDim()];
    sinkSums = new double[HeadWeights.ROWS][shape.valueDim()];
    restSums = new double[HeadWeights.ROWS][shape.valueDim()];
  }

  @Override
  public LayerState newState() {
    return new ActState(caches.create(shape), heads.length);
  }

  @Override
  public void append(LayerState[] states, LayerInputs in) {
    AttentionBatch batch = in.batch();
    if (rope != null) {
      rope.run(shape.rope(), in.k(), batch.totalRows(), in.rope().cos(), in.rope().sin());
    }
    table.reset(batch.sequences());
    for (int s = 0; s < batch.sequences(); s++) {
      ActState state = (ActState) states[s];
      state.cache().append(in.k(), in.v(), batch.firstRow(s), batch.rows(s));
      boolean prompt = batch.rows(s) > 1 || batch.continued(s) || state.inPrompt();
      state.rows(batch.firstPosition(s), batch.rows(s), prompt || options.update());
      state.inPrompt(batch.continued(s));
      state.cache().fill(table, s);
      SparseState.requireWhole(state.cache(), table, s);
    }
  }

  @Override
  public void attend(LayerState[] states, LayerInputs in, Tensor out) {
    AttentionBatch batch = in.batch();
    if (rope != null) {
      rope.run(shape.rope(), in.q(), batch.totalRows(), in.rope().cos(), in.rope().sin());
    }
    append(states, in);
    reserveLse(batch.totalRows());
    plan.run(
        batch, new AttentionInputs(in.q(), table, Selection.NONE), new AttentionOutputs(out, lse));
    for (int s = 0; s < batch.sequences(); s++) {
      for (int h = 0; h < heads.length; h++) {
        calibrate((ActState) states[s], h, new Rows(in.q(), batch, s, out));
      }
    }
  }

  private record Rows(Tensor q, AttentionBatch batch, int sequence, Tensor out) {
    int count() {
      return batch.rows(sequence);
    }

    int first() {
      return batch.firstRow(sequence);
    }

    long position() {
      return batch.firstPosition(sequence);
    }
  }

  /** Takes a key that the rows of a block meet. */
  @FunctionalInterface
  private interface KeyVisitor {
    void accept(KvPage page, int slot, int index);
  }

  private void calibrate(ActState state, int h, Rows step) {
    boolean counted = state.counted(step.position(), step.position() + step.count()) > 0;
    if (counted && options.strict()) {
      forEachBlock(step, h, (from, count) -> strictBlock(state, h, step, from, count));
      return;
    }
    if (counted) {
      forEachBlock(step, h, (from, count) -> countBlock(state, h, step, count));
      findSinks(state, h, state.length());
    }
    if (!state.sinks(h).isEmpty()) {
      forEachBlock(step, h, (from, count) -> dampBlock(state.sinks(h), h, step, from, count));
    }
  }

  /** A block of rows of a step: [from, from + count). */
  @FunctionalInterface
  private interface Block {
    void accept(int from, int count);
  }

  private void forEachBlock(Rows step, int h, Block block) {
    for (int from = 0; from < step.count(); from += HeadWeights.ROWS) {
      int count = Math.min(HeadWeights.ROWS, step.count() - from);
      weights.rows(step.q(), lse, step.first() + from, count, step.position() + from, heads[h]);
      block.accept(from, count);
    }
  }

  private void forEachKey(int h, Rows step, KeyVisitor visitor) {
    int kvHead = heads[h] / (shape.queryHeads() / shape.kvHeads());
    int index = 0;
    for (int p = 0; p < table.pageCount(step.sequence(), kvHead); p++) {
      KvPage page = table.page(step.sequence(), kvHead, p);
      for (int slot = 0; slot < page.length(); slot++) {
        visitor.accept(page, slot, index++);
      }
    }
  }

  private double[] weightsOn(KvPage page, int slot) {
    HostKeys.read(page, slot, key);
    return weights.of(key, page.position(slot));
  }

  private void countBlock(ActState state, int h, Rows step, int count) {
    double[] sums = state.columnSums(h);
    forEachKey(
        h,
        step,
        (page, slot, index) -> {
          double[] ofKey = weightsOn(page, slot);
          double sum = 0;
          for (int row = 0; row < count; row++) {
            sum += ofKey[row];
          }
          sums[index] += sum;
        });
  }

  /** The sinks among the first keys, by the rows before position {@code rows}. */
  private void findSinks(ActState state, int h, long rows) {
    BitSet sinks = state.sinks(h);
    sinks.clear();
    boolean spared = options.spare() == Act.Options.Spare.TOKEN;
    long keys = shape.mask() instanceof Mask.All ? state.length() : rows;
    double bound = options.bound(keys);
    for (int index = spared ? 1 : 0; index < keys; index++) {
      int seen = rowsThatSee(state, index, rows);
      if (seen > 0 && state.columnSums(h)[index] / seen > bound) {
        sinks.set(index, spared);
        spared = true;
      }
    }
  }

  private int rowsThatSee(ActState state, int index, long rows) {
    return switch (shape.mask()) {
      case Mask.All all -> state.counted(0, rows);
      case Mask.Window window ->
          state.counted(index, window.left() >= rows - index ? rows : index + window.left() + 1);
      default -> state.counted(index, rows);
    };
  }

  /** Every row counts first and is damped then, so that no row knows a later one. */
  private void strictBlock(ActState state, int h, Rows step, int from, int count) {
    int keys = Math.toIntExact(state.length());
    if (stored.length < keys) {
      stored = new double[2 * keys][];
    }
    forEachKey(
        h,
        step,
        (page, slot, index) -> {
          stored[index] = stored[index] == null ? new double[HeadWeights.ROWS] : stored[index];
          System.arraycopy(weightsOn(page, slot), 0, stored[index], 0, count);
        });
    BitSet[] sinks = new BitSet[count];
    double[] sums = state.columnSums(h);
    for (int row = 0; row < count; row++) {
      for (int index = 0; index < keys; index++) {
        sums[index] += stored[index][row];
      }
      findSinks(state, h, step.position() + from + row + 1);
      sinks[row] = (BitSet) state.sinks(h).clone();
    }
    clear(count);
    forEachKey(
        h,
        step,
        (page, slot, index) -> {
          HostKeys.readValue(page, slot, value);
          for (int row = 0; row < count; row++) {
            add(row, stored[index][row], sinks[row].get(index));
          }
        });
    for (int row = 0; row < count; row++) {
      store(step, h, from, row, restMass[row], restSums[row]);
    }
  }

  private void clear(int count) {
    for (int row = 0; row < count; row++) {
      mass[row] = 0;
      restMass[row] = 0;
      Arrays.fill(sinkSums[row], 0);
      Arrays.fill(restSums[row], 0);
    }
  }

  private void add(int row, double weight, boolean sink) {
    double[] sums = sink ? sinkSums[row] : restSums[row];
    if (sink) {
      mass[row] += weight;
    } else {
      restMass[row] += weight;
    }
    for (int d = 0; d < value.length; d++) {
      sums[d] += weight * value[d];
    }
  }

  private void dampBlock(BitSet sinks, int h, Rows step, int from, int count) {
    clear(count);
    boolean[] heavy = {false};
    forEachKey(
        h,
        step,
        (page, slot, index) -> {
          if (sinks.get(index)) {
            double[] ofKey = weightsOn(page, slot);
            HostKeys.readValue(page, slot, value);
            for (int row = 0; row < count; row++) {
              add(row, ofKey[row], true);
              heavy[0] |= mass[row] > SUBTRACTED_MASS;
            }
          }
        });
    if (heavy[0]) {
      addRest(sinks, h, step, count);
    }
    double[] rest = new double[value.length];
    for (int row = 0; row < count; row++) {
      if (mass[row] > SUBTRACTED_MASS) {
        store(step, h, from, row, restMass[row], restSums[row]);
        continue;
      }
      long at = outputAt(step, h, from + row);
      for (int d = 0; d < rest.length; d++) {
        rest[d] = step.out().segment().getAtIndex(Tensor.FLOAT, at + d) - sinkSums[row][d];
      }
      store(step, h, from, row, 1 - mass[row], rest);
    }
  }

  private void addRest(BitSet sinks, int h, Rows step, int count) {
    forEachKey(
        h,
        step,
        (page, slot, index) -> {
          if (!sinks.get(index)) {
            double[] ofKey = weightsOn(page, slot);
            HostKeys.readValue(page, slot, value);
            for (int row = 0; row < count; row++) {
              if (mass[row] > SUBTRACTED_MASS) {
                add(row, ofKey[row], false);
              }
            }
          }
        });
  }

  private long outputAt(Rows step, int h, int row) {
    return ((long) (step.first() + row) * shape.queryHeads() + heads[h]) * shape.valueDim();
  }

  /** Writes a row: beta of the sinks, and the rest scaled so that the weights sum to 1. */
  private void store(Rows step, int h, int from, int row, double restWeight, double[] rest) {
    if (mass[row] == 0 || !(restWeight > 0)) {
      return;
    }
    double beta = options.beta();
    double factor = (restWeight + (1 - beta) * mass[row]) / restWeight;
    long at = outputAt(step, h, from + row);
    for (int d = 0; d < rest.length; d++) {
      double calibrated = beta * sinkSums[row][d] + factor * rest[d];
      step.out().segment().setAtIndex(Tensor.FLOAT, at + d, (float) calibrated);
    }
  }

  private void reserveLse(int rows) {
    if (lse == null || lse.extent(0) < rows) {
      closeLse();
      lseArena = device.newArena();
      lse = lseArena.allocate(DType.F32, rows, shape.queryHeads());
    }
  }

  private void closeLse() {
    if (lseArena != null) {
      lseArena.close();
      lseArena = null;
      lse = null;
    }
  }

  @Override
  public void close() {
    plan.close();
    closeLse();
  }
}
