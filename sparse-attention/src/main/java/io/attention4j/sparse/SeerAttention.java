package io.attention4j.sparse;

import io.attention4j.engine.attention.BlockMask;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.OperatorContext;
import io.attention4j.engine.operator.OptionSpec;
import java.util.Arrays;
import java.util.BitSet;

/**
 * SeerAttention's prefill gate (Gao et al. 2024, arXiv 2410.13276): a small trained gate predicts
 * which key blocks a query block needs. Queries and keys before rotation are pooled per block
 * (queries by their mean; keys by maximum, minimum and mean, projected per head), rotated to the
 * block's first position, and their softmax over the blocks so far is the prediction.
 *
 * <p>A block's own key block is always read, which the authors' mask does not say. Decoding is
 * dense, as theirs is. In prefill a row's choice depends on later queries and keys of its block;
 * {@code strict} lets every row choose alone, by its own query and complete earlier blocks [R], and
 * then decoding chooses too.
 */
final class SeerAttention implements GatedSelector {
  static final String ID = "seer";

  private final Options options;
  private final GateKeys.Projection keys; // null with gate=oracle
  private final TrueScores truth; // null with a gate
  private final float[][] queryWeights; // per query head [dim, gateDim], or null
  private final int groupSize;
  private final double[] query;
  private final double[] gateQuery;
  private double[] scores = new double[16];

  /**
   * Settings.
   *
   * @param gate safetensors file with the gate, or oracle for the truth that it predicts
   * @param block tokens per block, those of training
   * @param choice which blocks the prediction chooses
   * @param last query blocks at the end of a step that read everything
   * @param strict whether every row chooses alone
   */
  record Options(String gate, int block, BlockChoice choice, int last, boolean strict) {
    static final int DEFAULT_BLOCK = 64;
    static final int DEFAULT_LAST = 2;
    static final double DEFAULT_THRESHOLD = 2e-3;

    Options {
      requireGate(ID, gate);
      Settings.require(ID, "block", block, 1);
      Settings.require(ID, "last", last, 0);
      if (strict && last > 0) {
        throw new IllegalArgumentException(
            "'"
                + ID
                + "' setting last="
                + last
                + " depends on where a step ends, which strict=true must not; write last=0");
      }
    }

    static void requireGate(String id, String gate) {
      if (gate.isEmpty()) {
        throw new IllegalArgumentException(
            "'"
                + id
                + "' needs the weights of a trained gate; write gate=FILE with a safetensors file"
                + " ('attention4j convert' makes one of a .pth file)");
      }
    }

    static Options of(OptionSpec option) {
      option.allow("gate", "block", "threshold", "density", "k", "last", "strict");
      boolean strict = Settings.flag(option, "strict");
      return new Options(
          option.text("gate", ""),
          Settings.integer(option, "block", DEFAULT_BLOCK, 1),
          choice(option),
          Settings.integer(option, "last", strict ? 0 : DEFAULT_LAST, 0),
          strict);
    }

    private static BlockChoice choice(OptionSpec option) {
      boolean density = option.values().containsKey("density");
      boolean count = option.values().containsKey("k");
      boolean threshold = option.values().containsKey("threshold");
      if ((density ? 1 : 0) + (count ? 1 : 0) + (threshold ? 1 : 0) > 1) {
        throw new IllegalArgumentException(
            "'"
                + ID
                + "' takes one of the settings threshold, density and k; leave out the others");
      }
      if (density) {
        return new BlockChoice.Density(Settings.number(option, "density", 1, 1));
      }
      return count
          ? new BlockChoice.Count(Settings.integer(option, "k", 0, 0))
          : BlockChoice.threshold(option, DEFAULT_THRESHOLD);
    }
  }

  /** A selector for a layer, with the gate's weights. */
  SeerAttention(Options options, LayerShape shape, OperatorContext context) {
    this.options = options;
    groupSize = shape.queryHeads() / shape.kvHeads();
    query = new double[shape.headDim()];
    if (options.gate.equals(TrueScores.ORACLE)) {
      truth = new TrueScores(shape, context);
      keys = null;
      queryWeights = null;
      gateQuery = null;
      return;
    }
    truth = null;
    GateWeights weights = GateWeights.open(ID, options.gate, shape, "attn_gate.", context);
    String keyName = "mask_linear_k.weight";
    String queryName = "mask_linear_q.weight";
    int dim = shape.headDim();
    boolean hasQuery = weights.has(queryName);
    boolean grouped = weights.headsOf(keyName) == shape.kvHeads() && hasQuery;
    int gateDim = weights.gateDim(keyName, shape);
    keys =
        new GateKeys.Projection(
            shape.kvHeads(),
            dim,
            gateDim,
            weights.perHead(
                keyName, grouped ? shape.kvHeads() : shape.queryHeads(), 3L * dim, gateDim),
            null,
            false);
    queryWeights = hasQuery ? weights.perHead(queryName, shape.queryHeads(), dim, gateDim) : null;
    gateQuery = new double[gateDim];
    if (!hasQuery && gateDim != dim) {
      throw new IllegalArgumentException(
          "attention '"
              + ID
              + "' needs '"
              + queryName
              + "' where the gate's "
              + gateDim
              + " elements differ from the head's "
              + dim
              + ", but "
              + options.gate
              + " lacks it; use a gate trained for this model");
    }
  }

  @Override
  public KeyMemory newMemory() {
    return truth == null ? new GateKeys(keys, options.block) : null;
  }

  @Override
  public int queryBlock() {
    return options.strict ? 1 : options.block;
  }

  @Override
  public int keyBlock() {
    return options.block;
  }

  @Override
  public BlockMask.HeadAxis headAxis() {
    return BlockMask.HeadAxis.QUERY_HEAD;
  }

  @Override
  public void select(QueryBlock rows, BitSet chosen) {
    int diagonal = rows.keyBlockOf(rows.firstPosition());
    boolean isLast = diagonal > rows.keyBlocks() - 1 - options.last;
    if (isLast || rows.stepRows() == 1 && !options.strict) {
      chosen.set(0, diagonal + 1);
      return;
    }
    chosen.set(diagonal);
    if (truth != null) {
      choose(rows, diagonal, chosen);
      return;
    }
    int gateHead = keys.weights().length == keys.kvHeads() ? rows.head() / groupSize : rows.head();
    score(rows, gateHead, diagonal);
    choose(rows, diagonal, chosen);
  }

  private void choose(QueryBlock rows, int diagonal, BitSet chosen) {
    if (truth != null) {
      float[] logs = truth.of(rows, queryBlock(), options.block, rows.head());
      reserve(diagonal + 1);
      for (int b = 0; b <= diagonal; b++) {
        scores[b] = logs[b];
      }
    }
    int count = options.strict ? diagonal : diagonal + 1;
    if (count > 0) {
      int blocks = options.strict ? diagonal + 1 : rows.keyBlocks();
      options.choice.choose(scores, count, blocks, chosen);
    }
  }

  private void reserve(int blocks) {
    if (scores.length < blocks) {
      scores = Arrays.copyOf(scores, 2 * blocks);
    }
  }

  private void score(QueryBlock rows, int gateHead, int diagonal) {
    rows.meanRawQuery(rows.head(), query);
    rows.rotation().toHalfSplit(query);
    if (queryWeights == null) {
      System.arraycopy(query, 0, gateQuery, 0, query.length);
    } else {
      GateKeys.Projection.project(queryWeights[rows.head()], query, gateQuery);
    }
    long first = (long) diagonal * options.block;
    rows.rotation().halfSplit().rotate(gateQuery, first);
    reserve(diagonal + 1);
    GateKeys compressed = (GateKeys) rows.memory();
    double scale = 1 / Math.sqrt(gateQuery.length);
    for (int b = 0; b < diagonal; b++) {
      scores[b] = scale * compressed.dot(gateHead, b, gateQuery);
    }
    if (!options.strict) {
      long end = Math.min(rows.keys(), first + options.block);
      boolean isComplete = end == first + options.block;
      scores[diagonal] =
          scale
              * (isComplete
                  ? compressed.dot(gateHead, diagonal, gateQuery)
                  : compressed.dot(rows.pages(), rows.part(), gateHead, first, end, gateQuery));
    }
  }

  @Override
  public void close() {
    if (truth != null) {
      truth.close();
    }
  }
}
