package io.attention4j.sparse;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.AttentionInputs;
import io.attention4j.engine.attention.AttentionOutputs;
import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.attention.OnlineSoftmax;
import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.attention.Selection;
import io.attention4j.engine.operator.AttentionLayer;
import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.LayerInputs;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.OperatorContext;
import io.attention4j.engine.spi.AttentionPlan;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.RopeKernel;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/** A layer of {@link HyperAttention}. */
final class HyperLayer implements AttentionLayer, SelectionClock {
  private final HyperAttention.Options options;
  private final LayerShape shape;
  private final OperatorContext context;
  private final RopeKernel rope;
  private final AttentionPlan dense;
  private final AttentionPlan parts;
  private final boolean bidirectional;
  private final PagedKv pages;
  private final AngularLsh lsh;
  private AttentionInputs inputs;
  private AttentionOutputs outputs;
  private long selectionNanos;

  // Of the prefill at hand: the exact triangles, then the squares of each depth. A row is in one
  // group of each.
  private final List<KeyGroups> levels = new ArrayList<>();
  private int sequence;
  private int firstPosition;
  private KeyBuckets keyBuckets;
  private short[][] queryBuckets;

  HyperLayer(
      HyperAttention.Options options,
      LayerShape shape,
      OperatorContext context,
      RopeKernel rope,
      AttentionPlan dense,
      AttentionPlan parts) {
    this.options = options;
    this.shape = shape;
    this.context = context;
    this.rope = rope;
    this.dense = dense;
    this.parts = parts;
    bidirectional = shape.mask() instanceof Mask.All;
    pages = new PagedKv(shape.kvHeads());
    lsh = new AngularLsh(shape.headDim(), options.projections(), seed(shape.layer(), 0, 0));
  }

  private long seed(long a, long b, long c) {
    long multiplier = 0x9E3779B97F4A7C15L;
    return (((options.seed() + 1L) * multiplier + a) * multiplier + b) * multiplier + c;
  }

  @Override
  public LayerState newState() {
    return new SparseState(
        context.caches().create(shape),
        new KeyBuckets(
            lsh,
            shape.kvHeads(),
            shape.headDim(),
            options.sampling() == HyperAttention.Sampling.VALUES ? shape.valueDim() : 0));
  }

  @Override
  public void append(LayerState[] states, LayerInputs in) {
    AttentionBatch batch = in.batch();
    if (rope != null) {
      rope.run(shape.rope(), in.k(), batch.totalRows(), in.rope().cos(), in.rope().sin());
    }
    pages.reset(batch.sequences());
    for (int s = 0; s < batch.sequences(); s++) {
      KvCache cache = ((SparseState) states[s]).cache();
      cache.append(in.k(), in.v(), batch.firstRow(s), batch.rows(s));
      cache.fill(pages, s);
      SparseState.requireWhole(cache, pages, s);
    }
  }

  @Override
  public void attend(LayerState[] states, LayerInputs in, Tensor out) {
    AttentionBatch batch = in.batch();
    if (rope != null) {
      rope.run(shape.rope(), in.q(), batch.totalRows(), in.rope().cos(), in.rope().sin());
    }
    append(states, in);
    boolean exact = true;
    for (int s = 0; s < batch.sequences(); s++) {
      exact &= isExact(batch.rows(s), batch.firstPosition(s));
    }
    if (exact) {
      // The decoder reuses its tensors, so these are made once, not once per token.
      if (inputs == null || inputs.q() != in.q()) {
        inputs = new AttentionInputs(in.q(), pages, Selection.NONE);
      }
      if (outputs == null || outputs.out() != out) {
        outputs = new AttentionOutputs(out, null);
      }
      dense.run(batch, inputs, outputs);
      return;
    }
    long start = System.nanoTime();
    levels.clear();
    for (int s = 0; s < batch.sequences(); s++) {
      if (batch.rows(s) > 0) {
        list(s, (SparseState) states[s], in);
      }
    }
    selectionNanos += System.nanoTime() - start;
    attendLevels(batch, in.q(), out.slice(0, 0, batch.totalRows()));
  }

  /** Whether no square of the rows and no square of the past is approximated. */
  private boolean isExact(int rows, long past) {
    if (bidirectional) {
      return rows < options.min();
    }
    return rows < options.min() || past < options.min() && rows / 2 < options.min();
  }

  private void list(int ofSequence, SparseState state, LayerInputs in) {
    AttentionBatch batch = in.batch();
    sequence = ofSequence;
    firstPosition = Math.toIntExact(batch.firstPosition(sequence));
    keyBuckets = (KeyBuckets) state.memory();
    keyBuckets.update(pages, sequence, state.length());
    int rows = batch.rows(sequence);
    queryBuckets = queryBuckets(in.q(), batch.firstRow(sequence), rows);
    int end = firstPosition + rows;
    if (bidirectional) {
      square(0, firstPosition, end, 0, end);
      return;
    }
    if (firstPosition > 0) {
      square(1, firstPosition, end, 0, firstPosition);
    }
    triangle(2, firstPosition, end);
  }

  private short[][] queryBuckets(Tensor q, int firstRow, int rows) {
    int heads = shape.queryHeads();
    int dim = shape.headDim();
    float[] row = new float[heads * dim];
    short[][] buckets = new short[heads][rows];
    MemorySegment memory = q.segment();
    for (int r = 0; r < rows; r++) {
      long at = (long) (firstRow + r) * row.length * Float.BYTES;
      MemorySegment.copy(memory, Tensor.FLOAT, at, row, 0, row.length);
      for (int h = 0; h < heads; h++) {
        buckets[h][r] = (short) lsh.bucket(row, h * dim);
      }
    }
    return buckets;
  }

  private KeyGroups level(int depth) {
    while (levels.size() <= depth) {
      levels.add(new KeyGroups());
    }
    return levels.get(depth);
  }

  /** Rows [from, to) over keys [from, to), causal; all are positions. */
  private void triangle(int depth, int from, int to) {
    if (to - from <= options.min()) {
      for (int h = 0; h < shape.queryHeads(); h++) {
        exactGroup(level(0), h, from, to, from, to);
      }
      return;
    }
    int middle = from + (to - from) / 2;
    triangle(depth + 1, from, middle);
    triangle(depth + 1, middle, to);
    square(depth, middle, to, from, middle);
  }

  private void exactGroup(KeyGroups groups, int head, int row, int rowEnd, int key, int keyEnd) {
    for (int r = row; r < rowEnd; r++) {
      groups.row(r - firstPosition);
    }
    for (int k = key; k < keyEnd; k++) {
      groups.key(k, 0);
    }
    groups.end(sequence, head);
  }

  /** Rows [row, rowEnd) over the earlier keys [key, keyEnd); all are positions. */
  private void square(int depth, int row, int rowEnd, int key, int keyEnd) {
    KeyGroups groups = level(depth);
    int groupSize = shape.queryHeads() / shape.kvHeads();
    boolean approximate = rowEnd - row >= options.min() && keyEnd - key >= options.min();
    for (int kvHead = 0; kvHead < shape.kvHeads(); kvHead++) {
      int[] keys = approximate ? lsh.sorted(keyBuckets.of(kvHead), key, keyEnd) : null;
      double[] mass =
          approximate && options.sampling() == HyperAttention.Sampling.VALUES
              ? cumulativeMass(keys, keyBuckets.valueNorms(kvHead))
              : null;
      for (int h = kvHead * groupSize; h < (kvHead + 1) * groupSize; h++) {
        if (!approximate) {
          exactGroup(groups, h, row, rowEnd, key, keyEnd);
          continue;
        }
        int[] rows = lsh.sorted(queryBuckets[h], row - firstPosition, rowEnd - firstPosition);
        sortedBlocks(groups, h, rows, keys, samples(h, row, key, keys.length, mass));
      }
    }
  }

  /** Sums of the masses of the keys up to each; null if all are 0. */
  private static double[] cumulativeMass(int[] keys, float[] massOfKey) {
    double[] sums = new double[keys.length];
    double sum = 0;
    for (int i = 0; i < keys.length; i++) {
      sum += massOfKey[keys[i]];
      sums[i] = sum;
    }
    return sum > 0 && sum < Double.POSITIVE_INFINITY ? sums : null;
  }

  /** Sampled places in the sorted keys, each with the log of what it counts for. */
  private record Samples(int[] places, float[] biases) {}

  /** Drawn with replacement; or each key once. */
  private Samples samples(int head, int row, int key, int keys, double[] mass) {
    int count = Math.min(options.samples(), keys);
    Samples samples = new Samples(new int[count], new float[count]);
    SplittableRandom random =
        new SplittableRandom(seed(shape.layer(), 1L + head, ((long) row << 32) + key));
    for (int i = 0; i < count; i++) {
      if (count == keys) {
        samples.places[i] = i; // counts for itself, with bias 0
      } else if (mass == null) {
        samples.places[i] = random.nextInt(keys);
        samples.biases[i] = (float) Math.log((double) keys / count);
      } else {
        int place = place(mass, random.nextDouble() * mass[keys - 1]);
        double own = mass[place] - (place == 0 ? 0 : mass[place - 1]);
        samples.places[i] = place;
        samples.biases[i] = (float) -Math.log(count * own / mass[keys - 1]);
      }
    }
    return samples;
  }

  /** The first place whose cumulative mass is above a value. */
  private static int place(double[] mass, double value) {
    int low = 0;
    int high = mass.length - 1;
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (mass[middle] > value) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  }

  private void sortedBlocks(KeyGroups groups, int head, int[] rows, int[] keys, Samples samples) {
    int blocks = options.block() == 0 ? 1 : Math.ceilDiv(keys.length, options.block());
    int rowsPerBlock = Math.ceilDiv(rows.length, blocks);
    for (int block = 0; block * rowsPerBlock < rows.length; block++) {
      int rowEnd = Math.min(rows.length, (block + 1) * rowsPerBlock);
      for (int i = block * rowsPerBlock; i < rowEnd; i++) {
        groups.row(rows[i]);
      }
      int from = block * options.block();
      int to = (int) Math.min(keys.length, (long) from + options.block());
      for (int i = from; i < to; i++) {
        groups.key(keys[i], 0);
      }
      for (int i = 0; i < samples.places.length; i++) {
        int place = samples.places[i];
        // A key of the own block is there already.
        if (place < from || place >= to) {
          groups.key(keys[place], samples.biases[i]);
        }
      }
      groups.end(sequence, head);
    }
  }

  /** Runs the levels and merges their results. */
  private void attendLevels(AttentionBatch batch, Tensor q, Tensor out) {
    int rows = batch.totalRows();
    int heads = shape.queryHeads();
    try (Device.TensorArena arena = context.kernels().device().newArena()) {
      Tensor lse = arena.allocate(DType.F32, rows, heads);
      Tensor partOut = arena.allocate(DType.F32, rows, heads, shape.valueDim());
      Tensor partLse = arena.allocate(DType.F32, rows, heads);
      boolean first = true;
      for (KeyGroups level : levels) {
        if (level.isEmpty()) {
          continue;
        }
        Selection selection = new Selection.Gathered(level.selection());
        AttentionInputs in = new AttentionInputs(q, pages, selection);
        parts.run(batch, in, new AttentionOutputs(first ? out : partOut, first ? lse : partLse));
        if (!first) {
          OnlineSoftmax.merge(out, lse, partOut, partLse, context.kernels().device().workers());
        }
        first = false;
      }
      if (!shape.sinks().isEmpty()) {
        float[] sinks = new float[heads];
        for (int h = 0; h < heads; h++) {
          sinks[h] = shape.sinks().get(h);
        }
        OnlineSoftmax.addSink(out, lse, sinks);
      }
    }
    levels.clear();
  }

  @Override
  public long selectionNanos() {
    return selectionNanos;
  }

  @Override
  public void close() {
    dense.close();
    parts.close();
  }
}
