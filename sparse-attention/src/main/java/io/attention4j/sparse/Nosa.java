package io.attention4j.sparse;

import io.attention4j.engine.attention.BlockMask;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.OperatorContext;
import io.attention4j.engine.operator.OptionSpec;
import java.util.Arrays;
import java.util.BitSet;

/**
 * NOSA (Huang et al. 2025, arXiv 2510.13602): block-sparse attention of which only a small part
 * depends on the query, so that consecutive steps read nearly the same blocks. Every KV head and
 * row reads the first blocks, a local window, some blocks that the query chooses by compressed keys
 * (means of overlapping windows), and fills up to {@code k} blocks with those whose tokens weigh
 * most by a score of their own, which also is a bias of their keys in attention.
 *
 * <p>The score of a token is A softplus(delta v), v the values of all KV heads. The released
 * prefill and one of the released decoders differ in whether they apply the bias; here it always
 * is. That stage 1 sums the shares over the query heads of a group, and that a row sees the windows
 * that end before or at it, could not be read and is our reconstruction.
 */
final class Nosa implements GatedSelector {
  static final String ID = "nosa";

  private final Options options;
  private final LayerShape shape;
  private final NosaMemory.Weights weights;
  private final int groupSize;
  private final double[] query;
  private double[] shares = {};
  private double[] groupShares = {};
  private double[] byQuery = {};
  private double[] byToken = {};

  /**
   * Settings; the defaults are those of the released models.
   *
   * @param gate safetensors file with A and delta, or empty where they are in the model
   * @param block tokens per block
   * @param kernel tokens per window of compressed keys
   * @param stride tokens from one window to the next
   * @param init first blocks, always read
   * @param local blocks before the row's own, always read
   * @param query blocks that the query chooses, besides those
   * @param k blocks read in all; as many as there are, or more, is dense
   */
  record Options(
      String gate, int block, int kernel, int stride, int init, int local, int query, int k) {
    static final int DEFAULT_BLOCK = 64;
    static final int DEFAULT_KERNEL = 32;
    static final int DEFAULT_STRIDE = 16;
    static final int DEFAULT_INIT = 1;
    static final int DEFAULT_LOCAL = 16;
    static final int DEFAULT_QUERY = 16;
    static final int DEFAULT_K = 64;

    Options {
      Settings.require(ID, "block", block, 1);
      Settings.require(ID, "kernel", kernel, 1);
      Settings.require(ID, "stride", stride, 1, kernel);
      Settings.require(ID, "init", init, 0);
      Settings.require(ID, "local", local, 0);
      Settings.require(ID, "query", query, 0);
      long least = (long) init + local + Math.max(1, query);
      if (k < least) {
        throw new IllegalArgumentException(
            "'"
                + ID
                + "' setting k="
                + k
                + " is below the "
                + least
                + " blocks of init, local and query together; write k="
                + least
                + " or more");
      }
      Settings.require(ID, "k", k, 1);
    }

    /** Windows that lie among the first tokens. */
    int windows(long tokens) {
      return tokens < kernel ? 0 : Math.toIntExact((tokens - kernel) / stride + 1);
    }

    /** The first window that overlaps a block. */
    int firstWindow(int ofBlock) {
      return (int) Math.max(0, Math.ceilDiv((long) ofBlock * block - kernel + 1, stride));
    }

    /** The last window that overlaps a block. */
    int lastWindow(int ofBlock) {
      return (int) (((ofBlock + 1L) * block - 1) / stride);
    }

    static Options of(OptionSpec option) {
      option.allow("gate", "block", "kernel", "stride", "init", "local", "query", "k");
      return new Options(
          option.text("gate", ""),
          Settings.integer(option, "block", DEFAULT_BLOCK, 1),
          Settings.integer(option, "kernel", DEFAULT_KERNEL, 1),
          Settings.integer(option, "stride", DEFAULT_STRIDE, 1),
          Settings.integer(option, "init", DEFAULT_INIT, 0),
          Settings.integer(option, "local", DEFAULT_LOCAL, 0),
          Settings.integer(option, "query", DEFAULT_QUERY, 0),
          Settings.integer(option, "k", DEFAULT_K, 1));
    }
  }

  /** A selector for a layer, with the weights of the token score. */
  Nosa(Options options, LayerShape shape, OperatorContext context) {
    this.options = options;
    this.shape = shape;
    Settings.requireBlocks(ID, options.k, Options.DEFAULT_K, options.block, shape);
    groupSize = shape.queryHeads() / shape.kvHeads();
    query = new double[shape.headDim()];
    GateWeights gate =
        options.gate.isEmpty()
            ? new GateWeights(ID, "the model", "self_attn.", context.weights())
            : GateWeights.open(ID, options.gate, shape, "", context);
    int kvHeads = shape.kvHeads();
    weights =
        new NosaMemory.Weights(
            gate.floats("A", kvHeads),
            gate.perHead("delta.weight", kvHeads, (long) kvHeads * shape.valueDim()),
            gate.has("delta.bias") ? gate.floats("delta.bias", kvHeads) : new float[kvHeads]);
  }

  @Override
  public KeyMemory newMemory() {
    return new NosaMemory(options, weights, shape);
  }

  @Override
  public int queryBlock() {
    return 1;
  }

  @Override
  public int keyBlock() {
    return options.block;
  }

  @Override
  public BlockMask.HeadAxis headAxis() {
    return BlockMask.HeadAxis.KV_HEAD;
  }

  @Override
  public void select(QueryBlock row, BitSet chosen) {
    int own = row.keyBlockOf(row.firstPosition());
    if (own < options.k) {
      chosen.set(0, own + 1);
      return;
    }
    NosaMemory memory = (NosaMemory) row.memory();
    int windows = options.windows(row.firstPosition() + 1);
    reserve(windows, own + 1);
    share(row, memory, windows);
    for (int b = 0; b <= own; b++) {
      boolean isForced = b < options.init || b >= own - options.local;
      int first = options.firstWindow(b);
      int end = Math.min(windows, options.lastWindow(b) + 1);
      byQuery[b] = Double.NEGATIVE_INFINITY;
      byToken[b] = Double.NEGATIVE_INFINITY;
      for (int w = first; w < end; w++) {
        byQuery[b] = Math.max(byQuery[b], groupShares[w]);
        byToken[b] = Math.max(byToken[b], memory.tokenScore(row.head(), w));
      }
      if (isForced) {
        byQuery[b] = Double.POSITIVE_INFINITY;
        byToken[b] = Double.POSITIVE_INFINITY;
      }
    }
    for (int b : best(byQuery, own + 1, options.init + options.local + options.query)) {
      byToken[b] = Double.POSITIVE_INFINITY;
    }
    for (int b : best(byToken, own + 1, options.k)) {
      chosen.set(b);
    }
  }

  private void reserve(int windows, int blocks) {
    if (shares.length < windows) {
      shares = new double[2 * windows];
      groupShares = new double[2 * windows];
    }
    if (byQuery.length < blocks) {
      byQuery = new double[2 * blocks];
      byToken = new double[2 * blocks];
    }
  }

  /** The softmax shares of compressed keys, summed over the query heads of the group. */
  private void share(QueryBlock row, NosaMemory memory, int windows) {
    Arrays.fill(groupShares, 0, windows, 0);
    for (int g = 0; g < groupSize; g++) {
      row.query(row.head() * groupSize + g, query);
      double max = Double.NEGATIVE_INFINITY;
      for (int w = 0; w < windows; w++) {
        shares[w] = shape.scale() * memory.dot(row.head(), w, query);
        max = Math.max(max, shares[w]);
      }
      double sum = 0;
      for (int w = 0; w < windows; w++) {
        shares[w] = Math.exp(shares[w] - max);
        sum += shares[w];
      }
      for (int w = 0; w < windows; w++) {
        groupShares[w] += shares[w] / sum;
      }
    }
  }

  private static int[] best(double[] scores, int count, int most) {
    if (most == 0) {
      return new int[0];
    }
    TopTokens best = new TopTokens(most);
    for (int b = 0; b < count; b++) {
      best.add(b, scores[b]);
    }
    return best.sorted();
  }
}
