package io.attention4j.sparse;

import io.attention4j.engine.attention.BlockMask;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.OperatorContext;
import io.attention4j.engine.operator.OptionSpec;
import java.util.Arrays;
import java.util.BitSet;

/**
 * SeerAttention-R's decode gate (Gao et al. 2025, arXiv 2506.08889): per KV head one query, summed
 * over the projected queries of the group, scores the compressed keys of complete blocks, and the
 * group reads the best blocks, besides the first and the row's own. Keys of a block are compressed
 * once, when it is complete.
 *
 * <p>The authors decode sparsely and prefill densely. With {@code prefill=sparse} every row of a
 * prefill chooses as its decode step does.
 */
final class SeerDecode implements GatedSelector {
  static final String ID = "seer-decode";

  private final Options options;
  private final GateKeys.Projection keys;
  private final float[][] queryWeights; // per KV head [group * dim, gateDim]
  private final float[] queryNorm;
  private final int groupSize;
  private final double[] query;
  private final double[] groupQueries;
  private final double[] gateQuery;
  private double[] scores = new double[16];

  /** How steps of several rows read. */
  enum Prefill {
    /** Everything. */
    DENSE,
    /** As decode steps do. */
    SPARSE
  }

  /** Where the gate key of a block stands. */
  enum Position {
    /** At its first token, as the paper has it. */
    FIRST,
    /**
     * At its last where single tokens completed it, as the released decoding has it; a restored
     * sequence has all at their first.
     */
    COMPLETING
  }

  /**
   * Settings.
   *
   * @param gate safetensors file with the gate
   * @param block tokens per block, those of training
   * @param choice which blocks the gate's scores choose
   * @param prefill how steps of several rows read
   * @param position where the gate key of a block stands
   */
  record Options(String gate, int block, BlockChoice choice, Prefill prefill, Position position) {
    static final int DEFAULT_BLOCK = 64;
    static final int DEFAULT_BUDGET = 4096;

    Options {
      SeerAttention.Options.requireGate(ID, gate);
      Settings.require(ID, "block", block, 1);
    }

    static Options of(OptionSpec option) {
      option.allow("gate", "block", "threshold", "budget", "prefill", "position");
      int block = Settings.integer(option, "block", DEFAULT_BLOCK, 1);
      return new Options(
          option.text("gate", ""),
          block,
          choice(option, block),
          Settings.choice(option, "prefill", Prefill.DENSE),
          Settings.choice(option, "position", Position.FIRST));
    }

    private static BlockChoice choice(OptionSpec option, int block) {
      if (option.values().containsKey("threshold")) {
        if (option.values().containsKey("budget")) {
          throw new IllegalArgumentException(
              "'" + ID + "' takes one of the settings threshold and budget; leave out the other");
        }
        return BlockChoice.threshold(option, 0);
      }
      int budget = Settings.integer(option, "budget", DEFAULT_BUDGET, 1);
      if (budget < block) {
        throw new IllegalArgumentException(
            "'"
                + ID
                + "' setting budget="
                + budget
                + " tokens is below one block of "
                + block
                + "; write budget="
                + block
                + " or more");
      }
      return new BlockChoice.Count(budget / block);
    }
  }

  /** A selector for a layer, with the gate's weights. */
  SeerDecode(Options options, LayerShape shape, OperatorContext context) {
    this.options = options;
    GateWeights weights = GateWeights.open(ID, options.gate, shape, "attn_gate.", context);
    String keyName = "attngate_linear_k.weight";
    int dim = shape.headDim();
    int kvHeads = shape.kvHeads();
    groupSize = shape.queryHeads() / kvHeads;
    int gateDim = weights.gateDim(keyName, shape);
    boolean normed = weights.has("attngate_qnorm.weight") || weights.has("attngate_knorm.weight");
    keys =
        new GateKeys.Projection(
            kvHeads,
            dim,
            gateDim,
            weights.perHead(keyName, kvHeads, 3L * dim, gateDim),
            normed ? weights.floats("attngate_knorm.weight", gateDim) : null,
            options.position == Position.COMPLETING);
    queryWeights = weights.perHead("attngate_linear_q.weight", kvHeads, groupSize, dim, gateDim);
    queryNorm = normed ? weights.floats("attngate_qnorm.weight", gateDim) : null;
    query = new double[dim];
    groupQueries = new double[groupSize * dim];
    gateQuery = new double[gateDim];
  }

  @Override
  public KeyMemory newMemory() {
    return new GateKeys(keys, options.block);
  }

  @Override
  public int queryBlock() {
    return options.prefill == Prefill.SPARSE ? 1 : options.block;
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
  public void select(QueryBlock rows, BitSet chosen) {
    int own = rows.keyBlockOf(rows.firstPosition());
    if (options.prefill == Prefill.DENSE && rows.stepRows() > 1) {
      chosen.set(0, own + 1);
      return;
    }
    chosen.set(0);
    chosen.set(own);
    int complete = (int) ((rows.firstPosition() + 1) / options.block);
    if (complete == 0) {
      return;
    }
    int dim = query.length;
    for (int g = 0; g < groupSize; g++) {
      rows.meanRawQuery(rows.head() * groupSize + g, query);
      rows.rotation().toHalfSplit(query);
      System.arraycopy(query, 0, groupQueries, g * dim, dim);
    }
    GateKeys.Projection.project(queryWeights[rows.head()], groupQueries, gateQuery);
    GateKeys.Projection.normalize(queryNorm, gateQuery);
    rows.rotation().halfSplit().rotate(gateQuery, rows.firstPosition());
    if (scores.length < complete) {
      scores = Arrays.copyOf(scores, 2 * complete);
    }
    GateKeys compressed = (GateKeys) rows.memory();
    for (int b = 0; b < complete; b++) {
      scores[b] = compressed.dot(rows.head(), b, gateQuery) / Math.sqrt(gateQuery.length);
    }
    options.choice.choose(scores, complete, complete, chosen);
  }
}
