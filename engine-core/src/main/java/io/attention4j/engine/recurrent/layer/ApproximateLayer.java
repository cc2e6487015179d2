package io.attention4j.engine.recurrent.layer;

import io.attention4j.engine.recurrent.ChunkedScan;
import io.attention4j.engine.recurrent.DynamicalSystem;
import io.attention4j.engine.recurrent.NormalizedLinearAttention;
import io.attention4j.engine.recurrent.Rows;
import io.attention4j.engine.recurrent.TaylorFeatures;

/**
 * Linear attention on {@link TaylorFeatures}: scores 1 + z + z^2 / 2, z = q^T k / sqrt(keyDim),
 * over their sum. The linear layer of Based (Arora et al. 2024, arXiv 2402.18668) and the
 * "approximate" variant of "Deconstructing Attention" (arXiv 2510.11602). State per head: 1 + d + d
 * (d + 1) / 2 features times valueDim + 1.
 *
 * <p>The projections' scale is that of z; {@link AttentionWeights#scale} other than 1 /
 * sqrt(keyDim) scales the queries.
 */
public final class ApproximateLayer implements SequenceLayer {
  /** Which sums divide. */
  public enum Denominator {
    /** One of all orders, as in Based: weights sum to one. */
    COMMON,
    /**
     * One for each order of z, then the mean of the three results: the recurrent form in the
     * appendix of "Deconstructing Attention" [R]. The sum over z has no sign, so it can come close
     * to 0.
     */
    PER_ORDER
  }

  private static final int CHUNK = 64;

  private final AttentionWeights weights;
  private final Denominator denominator;
  private final double epsilon;

  /**
   * A layer.
   *
   * @param epsilon added to the sums that divide, at least 0; 1e-12 in Based
   */
  public ApproximateLayer(AttentionWeights weights, Denominator denominator, double epsilon) {
    if (!(epsilon >= 0 && epsilon < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException("epsilon " + epsilon + " must be finite and at least 0");
    }
    this.weights = weights;
    this.denominator = denominator;
    this.epsilon = epsilon;
  }

  @Override
  public int width() {
    return weights.width();
  }

  private int features() {
    return 1 + weights.keyDim() + weights.keyDim() * (weights.keyDim() + 1) / 2;
  }

  @Override
  public SequenceState newState() {
    double[][] heads = new double[weights.heads()][features() * (weights.valueDim() + 1)];
    return new SequenceState(heads);
  }

  @Override
  public Rows run(Rows hidden, Rows embeddings, SequenceState state) {
    double factor = weights.scale() * Math.sqrt(weights.keyDim());
    Rows q = weights.q().apply(hidden).scaled(factor);
    Rows k = weights.k().apply(hidden);
    Rows v = weights.v().apply(hidden);
    int heads = weights.heads();
    Rows y = new Rows(new double[v.values().length], v.width());
    for (int h = 0; h < heads; h++) {
      Rows phiQ = TaylorFeatures.compact(AttentionWeights.head(q, h, heads));
      Rows phiK = TaylorFeatures.compact(AttentionWeights.head(k, h, heads));
      Rows ofHead = AttentionWeights.head(v, h, heads);
      AttentionWeights.setHead(y, h, heads, attend(phiQ, phiK, ofHead, state.part(h)));
    }
    state.advance(hidden.tokens());
    return weights.o().apply(y);
  }

  private Rows attend(Rows phiQ, Rows phiK, Rows v, double[] state) {
    if (denominator == Denominator.COMMON) {
      return NormalizedLinearAttention.normalize(
          ChunkedScan.run(NormalizedLinearAttention.system(phiQ, phiK, v), state, CHUNK), epsilon);
    }
    int[] bounds = {0, 1, 1 + weights.keyDim(), features()};
    double[] mean = new double[v.values().length];
    double[] before = state.clone();
    for (int order = 0; order < 3; order++) {
      int from = bounds[order];
      int to = bounds[order + 1];
      // Queries that are 0 outside the order read that order of the state alone.
      double[] part = new double[phiQ.values().length];
      for (int i = 0; i < part.length; i++) {
        int feature = i % phiQ.width();
        part[i] = feature >= from && feature < to ? phiQ.values()[i] : 0;
      }
      System.arraycopy(before, 0, state, 0, state.length);
      DynamicalSystem system =
          NormalizedLinearAttention.system(new Rows(part, phiQ.width()), phiK, v);
      Rows y = NormalizedLinearAttention.normalize(ChunkedScan.run(system, state, CHUNK), epsilon);
      for (int i = 0; i < mean.length; i++) {
        mean[i] += y.values()[i] / 3;
      }
    }
    return new Rows(mean, v.width());
  }
}
