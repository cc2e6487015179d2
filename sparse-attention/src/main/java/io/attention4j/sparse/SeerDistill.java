package io.attention4j.sparse;

import io.attention4j.engine.attention.BlockMask;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.OperatorContext;
import io.attention4j.engine.operator.OptionSpec;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Dense attention that keeps what a gate of {@link SeerAttention} sees of every query block and the
 * largest weights that it should predict; when the model is closed, {@link GateTraining} makes a
 * gate of it, which goes to a safetensors file under the official name. Every fifth sequence judges
 * the gate instead. Beside the gates the file has {@code distill.layers.N.losses} [epochs + 1] and
 * {@code distill.layers.N.recall}: the share of the truth in the best k blocks of an untrained
 * gate, of the trained one and of the truth.
 */
final class SeerDistill implements GatedSelector {
  /** Name in options. */
  static final String ID = "seer-distill";

  /** Of so many sequences the last judges. */
  private static final int JUDGED = 5;

  private static final int DEFAULT_BLOCK = 64;
  private static final int DEFAULT_K = 16;
  private static final int DEFAULT_EPOCHS = 10;
  private static final double DEFAULT_RATE = 1e-3;

  /**
   * Settings.
   *
   * @param to safetensors file
   * @param block tokens per block
   * @param k blocks of which the recall is taken
   * @param epochs passes over what was kept; 0 writes an untrained gate
   * @param rate of Adam, at the start
   * @param skip share of a context's first query blocks that is not learned
   */
  record Options(String to, int block, int k, int epochs, double rate, double skip) {
    Options {
      if (to.isEmpty()) {
        throw new IllegalArgumentException(
            "'" + ID + "' needs a file to write the gate to; write to=FILE");
      }
    }

    static Options of(OptionSpec option) {
      option.allow("to", "block", "k", "epochs", "rate", "skip");
      return new Options(
          option.text("to", ""),
          Settings.integer(option, "block", DEFAULT_BLOCK, 1),
          Settings.integer(option, "k", DEFAULT_K, 0),
          Settings.integer(option, "epochs", DEFAULT_EPOCHS, 0),
          Settings.number(option, "rate", DEFAULT_RATE, 1),
          Settings.number(option, "skip", 0.25, 1));
    }
  }

  private final Options options;
  private final LayerShape shape;
  private final OperatorContext context;
  private final TrueScores truth;
  private final GateKeys pooling;
  private final int firstLearned;
  private final List<GateTraining.Sample> learned = new ArrayList<>();
  private final List<GateTraining.Sample> judged = new ArrayList<>();
  private GateTraining.Sample sample;
  private int sequences;

  SeerDistill(Options options, LayerShape shape, OperatorContext context) {
    this.options = options;
    this.shape = shape;
    this.context = context;
    truth = new TrueScores(shape, context);
    firstLearned = (int) (options.skip * (shape.maxPositions() / options.block));
    int dim = shape.headDim();
    float[][] none = new float[shape.kvHeads()][0];
    pooling =
        new GateKeys(
            new GateKeys.Projection(shape.kvHeads(), dim, dim, none, null, false), options.block);
  }

  @Override
  public KeyMemory newMemory() {
    return null;
  }

  @Override
  public boolean readsKeys() {
    return true;
  }

  @Override
  public int queryBlock() {
    return options.block;
  }

  @Override
  public int keyBlock() {
    return options.block;
  }

  @Override
  public BlockMask.HeadAxis headAxis() {
    return BlockMask.HeadAxis.QUERY_HEAD;
  }

  /** Chooses everything. */
  @Override
  public void select(QueryBlock rows, BitSet chosen) {
    int diagonal = rows.keyBlockOf(rows.firstPosition());
    chosen.set(0, diagonal + 1);
    float[] logs = truth.of(rows, options.block, options.block, rows.head());
    if (rows.head() == 0 && rows.rowInSequence() == 0) {
      begin(rows, diagonal);
    }
    int at = diagonal - sample.firstBlock();
    if (diagonal < firstLearned || rows.rows() < options.block) {
      return;
    }
    double[] query = new double[shape.headDim()];
    rows.meanRawQuery(rows.head(), query);
    rows.rotation().toHalfSplit(query);
    sample.rotation().rotate(query, (long) diagonal * options.block);
    sample.queries()[rows.head()][at] = query;
    double[] shares = new double[diagonal + 1];
    Arrays.setAll(shares, b -> Math.exp(logs[b]));
    double sum = Arrays.stream(shares).sum();
    Arrays.setAll(shares, b -> shares[b] / sum);
    sample.truth()[rows.head()][at] = shares;
  }

  private void begin(QueryBlock rows, int firstBlock) {
    int queryBlocks = Math.ceilDiv(rows.partRows(), options.block);
    int heads = shape.queryHeads();
    double[][][] keys = new double[shape.kvHeads()][rows.keyBlocks()][3 * shape.headDim()];
    pooling.rotation(rows.rotation());
    for (int h = 0; h < keys.length; h++) {
      for (int b = 0; b < keys[h].length; b++) {
        long first = (long) b * options.block;
        long end = Math.min(rows.keys(), first + options.block);
        pooling.pool(rows.pages(), rows.part(), h, first, end, keys[h][b]);
      }
    }
    sample =
        new GateTraining.Sample(
            firstBlock,
            keys,
            new double[heads][queryBlocks][],
            new double[heads][queryBlocks][],
            rows.rotation().halfSplit());
    if (rows.firstPosition() == 0) {
      sequences++;
    }
    (sequences % JUDGED == 0 ? judged : learned).add(sample);
  }

  /** Trains and writes, if anything was read. */
  @Override
  public void close() {
    truth.close();
    if (learned.isEmpty()) {
      return;
    }
    GateTraining training =
        new GateTraining(
            shape.queryHeads(), shape.kvHeads(), shape.headDim(), options.block, shape.layer());
    GateTraining.Outcome outcome =
        training.run(
            learned, judged.isEmpty() ? learned : judged, options.epochs, options.rate, options.k);
    int heads = shape.queryHeads();
    int dim = shape.headDim();
    String stats = "distill.layers." + shape.layer() + ".";
    try (Arena arena = Arena.ofConfined()) {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      tensors.put(
          GateWeights.prefix(shape, "attn_gate.") + "mask_linear_k.weight",
          Tensor.ofFloats(arena, training.weights(), heads, 3L * dim, dim));
      float[] losses = new float[outcome.losses().length];
      for (int i = 0; i < losses.length; i++) {
        losses[i] = (float) outcome.losses()[i];
      }
      tensors.put(stats + "losses", Tensor.ofFloats(arena, losses, losses.length));
      float[] recall = {
        (float) outcome.untrained(), (float) outcome.trained(), (float) outcome.best()
      };
      tensors.put(stats + "recall", Tensor.ofFloats(arena, recall, recall.length));
      context.files().update(options.to, tensors);
    }
  }
}
