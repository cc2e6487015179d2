package io.attention4j.sparse;

import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.OptionSpec;
import io.attention4j.engine.spi.Device;
import io.attention4j.sparse.RegionKernels.Sees;
import java.util.Arrays;
import java.util.BitSet;
import java.util.stream.IntStream;

/**
 * LSG attention (Condevaux and Harispe 2022, arXiv 2210.15497): local, sparse and global keys.
 * Query block i reads
 *
 * <ul>
 *   <li>blocks i - 1, i and, in a bidirectional layer, i + 1,
 *   <li>of the {@code sparse * factor} tokens before these (and, in a bidirectional layer, after
 *       them) {@code sparse} entries: those with the largest keys, every factor-th, or the means of
 *       factor neighbouring keys and values,
 *   <li>the first {@code globals} tokens, which in a bidirectional layer read every key.
 * </ul>
 *
 * The paper's two other ways to choose (by hash, and means weighted by the first token) are not
 * offered, and its global tokens are extra ones with embeddings of their own.
 */
final class Lsg implements RegionMethod {
  static final String ID = "lsg";

  private final Options options;
  private final LayerShape shape;
  private final boolean bidirectional;

  /** How sparse entries are chosen. */
  enum Type {
    /** The largest keys, per KV head. */
    NORM,
    /** Every factor-th key, another phase in each query head. */
    STRIDE,
    /** Means of factor keys and values. */
    POOL,
    /** None. */
    NONE
  }

  /**
   * Settings.
   *
   * @param block tokens per block
   * @param sparse sparse entries on a side
   * @param factor tokens per sparse entry; divides block
   * @param globals first tokens that every row reads
   * @param type how sparse entries are chosen
   */
  record Options(int block, int sparse, int factor, int globals, Type type) {
    static final int DEFAULT_BLOCK = 128;
    static final int DEFAULT_SPARSE = 128;
    static final int DEFAULT_FACTOR = 2;

    Options {
      Settings.require(ID, "block", block, 1);
      Settings.require(ID, "sparse", sparse, 0);
      Settings.require(ID, "factor", factor, 1);
      Settings.require(ID, "globals", globals, 0);
      if (type != Type.NONE && block % factor != 0) {
        throw new IllegalArgumentException(
            "'"
                + ID
                + "' setting factor="
                + factor
                + " must divide block="
                + block
                + "; write for example factor=1 or block="
                + (block / factor + 1L) * factor);
      }
    }

    static Options of(OptionSpec option) {
      option.allow("block", "sparse", "factor", "globals", "type");
      return new Options(
          Settings.integer(option, "block", DEFAULT_BLOCK, 1),
          Settings.integer(option, "sparse", DEFAULT_SPARSE, 0),
          Settings.integer(option, "factor", DEFAULT_FACTOR, 1),
          Settings.integer(option, "globals", 1, 0),
          Settings.choice(option, "type", Type.NORM));
    }
  }

  Lsg(Options options, LayerShape shape) {
    this.options = options;
    this.shape = shape;
    bidirectional = shape.mask() instanceof Mask.All;
  }

  @Override
  public int stores() {
    return options.type == Type.POOL ? 1 : 0;
  }

  @Override
  public long count(int store, long length) {
    return bidirectional ? 0 : length / options.factor;
  }

  @Override
  public boolean keepsQueries() {
    return false;
  }

  @Override
  public void attend(RegionStep step) {
    KeyGroups keys = new KeyGroups();
    int globalRows = bidirectional ? Math.min(options.globals, step.to()) : 0;
    if (step.rows(keys, 0, globalRows)) {
      IntStream.range(0, step.to()).forEach(key -> keys.key(key, 0));
      step.end(keys);
    }
    BitSet chosen = new BitSet();
    int headsPerChoice =
        switch (options.type) {
          case NORM -> shape.queryHeads() / shape.kvHeads();
          case STRIDE -> 1;
          case POOL, NONE -> shape.queryHeads();
        };
    for (int head = 0; head < shape.queryHeads(); head += headsPerChoice) {
      KeyCursor cursor =
          new KeyCursor(step.pages(), 0, head / (shape.queryHeads() / shape.kvHeads()));
      for (long block = step.from() / options.block; start(block) < step.to(); block++) {
        if (step.rows(keys, Math.max(globalRows, start(block)), start(block + 1))) {
          chosen.clear();
          chosen.set(0, Math.min(options.globals, step.to()));
          chosen.set(before(block), Math.min(after(block), step.to()));
          choose(step, cursor, head, Math.max(0, before(block) - reach()), before(block), chosen);
          if (bidirectional) {
            long end = Math.min(step.to(), (long) after(block) + reach());
            choose(step, cursor, head, after(block), (int) end, chosen);
          }
          chosen.stream().forEach(key -> keys.key(key, 0));
          keys.endShared(0, head, headsPerChoice);
        }
      }
    }
    step.add(bidirectional ? Sees.ALL : Sees.UP_TO, keys);
    if (options.type == Type.POOL) {
      summarize(step);
      attendMeans(step, globalRows);
    }
  }

  private long start(long block) {
    return block * options.block;
  }

  /** First token of a query block's local blocks. */
  private int before(long block) {
    return (int) Math.max(0, start(block - 1));
  }

  /** Token after a query block's local blocks. */
  private int after(long block) {
    return (int) Math.min(Settings.MOST, start(block + (bidirectional ? 2 : 1)));
  }

  /** Tokens on a side from which sparse entries come. */
  private int reach() {
    return (int) Math.min(Settings.MOST, (long) options.sparse * options.factor);
  }

  private void choose(
      RegionStep step, KeyCursor cursor, int head, int from, int to, BitSet chosen) {
    if (from >= to) {
      return;
    }
    if (options.type == Type.STRIDE) {
      int first = from + Math.floorMod(head - from, options.factor);
      for (long key = first; key < to; key += options.factor) {
        chosen.set((int) key);
      }
    } else if (options.type == Type.NORM) {
      if (to - from <= options.sparse) {
        chosen.set(from, to);
        return;
      }
      float[] key = new float[step.shape().headDim()];
      double[] norms = new double[to - from];
      for (int i = 0; i < norms.length; i++) {
        cursor.key(from + i, key);
        for (float x : key) {
          norms[i] += (double) x * x;
        }
      }
      double[] sorted = norms.clone();
      Arrays.sort(sorted);
      int left = options.sparse;
      double least = left == 0 ? Double.POSITIVE_INFINITY : sorted[sorted.length - left];
      // Of keys as large as the smallest chosen one, the earliest.
      for (double norm : norms) {
        left -= norm > least ? 1 : 0;
      }
      for (int i = 0; i < norms.length; i++) {
        if (norms[i] > least || norms[i] == least && left-- > 0) {
          chosen.set(from + i);
        }
      }
    }
  }

  /** Means of factor keys and values each; global tokens, which are read anyway, left out. */
  private void summarize(RegionStep step) {
    SummaryPages store = step.store(0);
    int done = store.count();
    int all = bidirectional ? Math.ceilDiv(step.to(), options.factor) : step.to() / options.factor;
    if (all == done) {
      return;
    }
    float[][] keys = new float[all - done][shape.queryHeads() * shape.headDim()];
    float[][] values = new float[all - done][shape.queryHeads() * shape.valueDim()];
    float[] key = new float[shape.headDim()];
    float[] value = new float[shape.valueDim()];
    int groupSize = shape.queryHeads() / shape.kvHeads();
    for (int h = 0; h < shape.kvHeads(); h++) {
      KeyCursor cursor = new KeyCursor(step.pages(), 0, h);
      for (int m = done; m < all; m++) {
        int from = Math.max(options.globals, m * options.factor);
        int to = (int) Math.min(step.to(), (m + 1L) * options.factor);
        for (int token = from; token < to; token++) {
          cursor.key(token, key);
          cursor.value(token, value);
          for (int q = h * groupSize; q < (h + 1) * groupSize; q++) {
            add(keys[m - done], q * key.length, key, to - from);
            add(values[m - done], q * value.length, value, to - from);
          }
        }
      }
    }
    try (Device.TensorArena arena = step.kernels().kernels().device().newArena()) {
      store.add(
          step.kernels().upload(arena, RegionKernels.joined(keys), shape.headDim()),
          step.kernels().upload(arena, RegionKernels.joined(values), shape.valueDim()),
          new int[all - done]);
    }
  }

  private static void add(float[] sum, int at, float[] x, int count) {
    for (int d = 0; d < x.length; d++) {
      sum[at + d] += x[d] / count;
    }
  }

  private void attendMeans(RegionStep step, int globalRows) {
    KeyGroups means = new KeyGroups();
    int first = Math.ceilDiv(options.globals + 1, options.factor) - 1; // with a token not global
    for (long block = step.from() / options.block; start(block) < step.to(); block++) {
      if (step.rows(means, Math.max(globalRows, start(block)), start(block + 1))) {
        int from = Math.max(0, before(block) - reach()) / options.factor;
        for (int m = Math.max(first, from); m < before(block) / options.factor; m++) {
          means.key(m, 0);
        }
        if (bidirectional) {
          long end = Math.min(step.to(), (long) after(block) + reach());
          for (int m = Math.max(first, after(block) / options.factor);
              (long) m * options.factor < end;
              m++) {
            means.key(m, 0);
          }
        }
        step.end(means);
      }
    }
    step.add(0, Sees.ALL, means);
  }
}
