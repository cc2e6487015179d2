package io.attention4j.engine.recurrent.operator;

import io.attention4j.engine.operator.LayerInputs;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.recurrent.Gates;
import io.attention4j.engine.recurrent.RetNet;
import io.attention4j.engine.recurrent.Rows;
import io.attention4j.engine.recurrent.Rwkv7;
import io.attention4j.engine.recurrent.TaylorFeatures;
import io.attention4j.engine.recurrent.layer.LayerWeights;
import io.attention4j.engine.recurrent.layer.Projection;
import io.attention4j.engine.spi.LinearScanSpec;
import io.attention4j.engine.spi.LinearScanSpec.Decay;
import io.attention4j.engine.spi.LinearScanSpec.Write;
import io.attention4j.engine.tensor.Tensor;

/**
 * How the model's q, k, v and hidden states become what a scan reads. Gates are those of the
 * published layers: sigmoids and softplus of projections of the hidden state.
 */
final class ScanRule {
  /** Which recurrence. */
  enum Kind {
    /** S += k v^T. */
    LINEAR(Decay.NONE, Write.ADD),
    /** A constant decay per head. */
    RETNET(Decay.HEAD, Write.ADD),
    /** log sigmoid of a low-rank map, over 16, per key dimension. */
    GLA(Decay.KEY, Write.ADD),
    /** q is C, k is B, v is x; dt per head. */
    MAMBA2(Decay.HEAD, Write.ADD),
    /** The delta rule on unit keys. */
    DELTANET(Decay.NONE, Write.DELTA),
    /** With a decay per head as in Mamba-2. */
    GDN(Decay.HEAD, Write.DELTA),
    /** With a decay per key dimension from a low-rank map. */
    KDA(Decay.KEY, Write.DELTA),
    /** RWKV-7's core; q is the receptance. */
    RWKV7(Decay.KEY, Write.LOW_RANK),
    /** Normalised, on Taylor features. */
    BASED(Decay.NONE, Write.ADD);

    private final Decay decay;
    private final Write write;

    Kind(Decay decay, Write write) {
      this.decay = decay;
      this.write = write;
    }
  }

  /** The published divisor of GLA's log-decay. */
  private static final double GLA_TEMPERATURE = 16;

  /** Added to Based's normaliser. */
  private static final double EPSILON = 1e-12;

  /** Columns of a state are padded to this many, so that kernels take whole vectors. */
  private static final int COLUMNS = 16;

  private static final double LEAST_NORM = 1e-12;

  private final Kind kind;
  private final LayerShape shape;
  private final LinearScanSpec spec;
  private final int heads;
  private final int keyDim;
  private Projection decay;
  private Projection decayUp;
  private Projection beta;
  private Projection rateDown;
  private Projection rate;
  private double[] logA;
  private double[] through;
  private double[] removalScale;
  private double[] rateScale;

  private ScanRule(Kind kind, LayerShape shape) {
    this.kind = kind;
    this.shape = shape;
    heads = shape.kvHeads();
    keyDim = shape.headDim();
    boolean based = kind == Kind.BASED;
    int stateRows =
        based ? TaylorFeatures.compact(new Rows(new double[keyDim], keyDim)).width() : keyDim;
    int columns = based ? Math.ceilDiv(shape.valueDim() + 1, COLUMNS) * COLUMNS : shape.valueDim();
    boolean scaled = kind != Kind.MAMBA2 && kind != Kind.RWKV7 && !based;
    spec =
        new LinearScanSpec(
            shape.queryHeads(),
            heads,
            stateRows,
            columns,
            scaled ? shape.scale() : 1,
            kind.decay,
            kind.write);
  }

  /** The rule of a recurrence, with its weights. */
  static ScanRule of(Kind kind, LayerShape shape, int rank, LayerWeights weights) {
    ScanRule rule = new ScanRule(kind, shape);
    rule.read(weights, shape.modelDim(), rank);
    return rule;
  }

  private void read(LayerWeights weights, int width, int rank) {
    int channels = heads * keyDim;
    switch (kind) {
      case LINEAR, RETNET, BASED -> {}
      case GLA -> readLowRankDecay(weights, width, rank, channels);
      case MAMBA2 -> {
        readDecay(weights, width);
        through = weights.values("D", heads);
      }
      case DELTANET -> beta = weights.projection("w_beta", width, heads);
      case GDN -> {
        readDecay(weights, width);
        beta = weights.projection("w_beta", width, heads);
      }
      case KDA -> {
        readLowRankDecay(weights, width, rank, channels);
        logA = weights.values("A_log", heads);
        beta = weights.projection("w_beta", width, heads);
      }
      case RWKV7 -> {
        readLowRankDecay(weights, width, rank, channels);
        rateDown = weights.projection("a.down", width, rank);
        rate =
            new Projection(
                weights.rows("a.up", rank, channels), weights.values("a.bias", channels));
        removalScale = weights.values("k_k", channels);
        rateScale = weights.values("k_a", channels);
      }
    }
  }

  private void readDecay(LayerWeights weights, int width) {
    decay = new Projection(weights.rows("w_dt", width, heads), weights.values("dt_bias", heads));
    logA = weights.values("A_log", heads);
  }

  private void readLowRankDecay(LayerWeights weights, int width, int rank, int channels) {
    decay = weights.projection("g.down", width, rank);
    decayUp =
        new Projection(weights.rows("g.up", rank, channels), weights.values("g.bias", channels));
  }

  /** What the scan computes. */
  LinearScanSpec spec() {
    return spec;
  }

  /** Whether queries and keys are rotated: RetNet's are, the others have no positions. */
  boolean rotates() {
    return kind == Kind.RETNET;
  }

  /** Fills what the scan reads. */
  void load(LayerInputs in, int rows, ScanTensors to) {
    Rows q = OperatorWeights.rows(in.q(), 0, rows);
    Rows k = OperatorWeights.rows(in.k(), 0, rows);
    Rows v = OperatorWeights.rows(in.v(), 0, rows);
    Rows hidden = decay == null && beta == null ? null : OperatorWeights.rows(in.hidden(), 0, rows);
    switch (kind) {
      case LINEAR -> {}
      case RETNET -> {
        Rows g = new Rows(new double[rows * heads], heads);
        for (int i = 0; i < g.values().length; i++) {
          g.values()[i] = Math.log(RetNet.gamma(i % heads));
        }
        OperatorWeights.store(g, to.inputs().decay(), 0);
      }
      case GLA -> {
        Rows g = decayUp.apply(decay.apply(hidden)).map(Gates::logSigmoid);
        OperatorWeights.store(g.scaled(1 / GLA_TEMPERATURE), to.inputs().decay(), 0);
      }
      case MAMBA2 -> {
        Rows steps = decay.apply(hidden).map(Gates::softplus);
        OperatorWeights.store(decayed(steps), to.inputs().decay(), 0);
        k = perHead(k, steps);
      }
      case DELTANET -> {}
      case GDN -> {
        Rows steps = decay.apply(hidden).map(Gates::softplus);
        OperatorWeights.store(decayed(steps), to.inputs().decay(), 0);
      }
      case KDA -> {
        Rows steps = decayUp.apply(decay.apply(hidden)).map(Gates::softplus);
        OperatorWeights.store(decayed(steps), to.inputs().decay(), 0);
      }
      case RWKV7 -> k = loadRwkv(hidden, k, to);
      case BASED -> {
        q = features(q, shape.queryHeads());
        k = features(k, heads);
        v = withOnes(v);
      }
    }
    if (kind.write == Write.DELTA) {
      OperatorWeights.store(beta.apply(hidden).map(Gates::sigmoid), to.inputs().beta(), 0);
      q = unit(q);
      k = unit(k);
    }
    OperatorWeights.store(q, to.inputs().q(), 0);
    OperatorWeights.store(k, to.inputs().k(), 0);
    OperatorWeights.store(v, to.inputs().v(), 0);
  }

  /** -e^A_log of the head times the step; steps are per head or per key dimension. */
  private Rows decayed(Rows steps) {
    double[] g = steps.values().clone();
    int perHead = steps.width() / heads;
    for (int i = 0; i < g.length; i++) {
      g[i] *= -Math.exp(logA[i / perHead % heads]);
    }
    return new Rows(g, steps.width());
  }

  private Rows perHead(Rows x, Rows factors) {
    double[] y = x.values().clone();
    for (int i = 0; i < y.length; i++) {
      y[i] *= factors.values()[i / keyDim];
    }
    return new Rows(y, x.width());
  }

  private Rows unit(Rows x) {
    double[] y = x.values().clone();
    for (int from = 0; from < y.length; from += keyDim) {
      double squares = 0;
      for (int i = from; i < from + keyDim; i++) {
        squares += y[i] * y[i];
      }
      double norm = Math.max(Math.sqrt(squares), LEAST_NORM);
      for (int i = from; i < from + keyDim; i++) {
        y[i] /= norm;
      }
    }
    return new Rows(y, x.width());
  }

  private Rows loadRwkv(Rows hidden, Rows k, ScanTensors to) {
    Rows g = decayUp.apply(decay.apply(hidden)).map(Rwkv7::logDecay);
    Rows a = rate.apply(rateDown.apply(hidden)).map(Gates::sigmoid);
    double[] removal = k.values().clone();
    double[] keys = k.values().clone();
    for (int i = 0; i < keys.length; i++) {
      int channel = i % k.width();
      removal[i] *= removalScale[channel];
      keys[i] *= 1 + (a.values()[i] - 1) * rateScale[channel];
    }
    Rows removed = unit(new Rows(removal, k.width()));
    OperatorWeights.store(g, to.inputs().decay(), 0);
    OperatorWeights.store(removed.scaled(-1), to.inputs().read(), 0);
    OperatorWeights.store(removed.times(a), to.inputs().write(), 0);
    return new Rows(keys, k.width());
  }

  private Rows features(Rows x, int ofHeads) {
    Rows phi = TaylorFeatures.compact(new Rows(x.values(), keyDim));
    return new Rows(phi.values(), phi.width() * ofHeads);
  }

  /** Values, then a 1 that sums the weights, then zeros. */
  private Rows withOnes(Rows v) {
    int from = shape.valueDim();
    int to = spec.valueDim();
    double[] wide = new double[v.values().length / from * to];
    for (int row = 0; row < wide.length / to; row++) {
      System.arraycopy(v.values(), row * from, wide, row * to, from);
      wide[row * to + from] = 1;
    }
    return new Rows(wide, heads * to);
  }

  /** Writes the operator's outputs. */
  void finish(LayerInputs in, int rows, ScanTensors from, Tensor out) {
    Rows y = OperatorWeights.rows(from.out(), 0, rows);
    int valueDim = shape.valueDim();
    if (kind == Kind.BASED) {
      y = normalized(y);
    }
    if (through != null) {
      Rows v = OperatorWeights.rows(in.v(), 0, rows);
      int group = shape.queryHeads() / heads;
      for (int i = 0; i < y.values().length; i++) {
        int head = i / valueDim % shape.queryHeads() / group;
        int row = i / (valueDim * shape.queryHeads());
        y.values()[i] += through[head] * v.at(row, head * valueDim + i % valueDim);
      }
    }
    OperatorWeights.store(y, out, 0);
  }

  private Rows normalized(Rows y) {
    int wide = spec.valueDim();
    int valueDim = shape.valueDim();
    double[] outputs = new double[y.values().length / wide * valueDim];
    for (int row = 0; row < y.values().length / wide; row++) {
      double sum = y.values()[row * wide + valueDim] + EPSILON;
      for (int d = 0; d < valueDim; d++) {
        outputs[row * valueDim + d] = y.values()[row * wide + d] / sum;
      }
    }
    return new Rows(outputs, shape.queryHeads() * valueDim);
  }
}
