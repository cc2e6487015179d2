package io.attention4j.sparse;

import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.OptionSpec;

/**
 * Combiner (Ren et al. 2021, arXiv 2107.05768): every row attends to every allowed key, to some
 * directly and to the others through summaries of regions, in one softmax:
 *
 * <pre>
 * out_i = (sum_{j in D_i} exp(q_i k_j) v_j + sum_r exp(q_i kbar_r) vbar_r) / Z_i
 * kbar_r = max_{j in R_r} k_j     vbar_r = sum_{j in R_r} softmax_j(qbar_r k_j) v_j     qbar_r = max
 * </pre>
 *
 * with element-wise maxima of keys and (scaled) queries, as in the released configurations. Direct
 * keys and summaries are parts of their own that the kernels compute; they merge by their LSE. The
 * factorisations say which regions there are. Quality needs a model trained with it: a maximum of
 * keys does not stand for them in another one.
 *
 * <p>A last segment that is not full has a summary in bidirectional layers and is read directly in
 * causal ones; the authors' program takes whole segments only. What it counts twice (the row itself
 * in both directions of the bidirectional grid, the own segment besides its summary) counts once.
 */
final class Combiner {
  static final String ID = "combiner";

  private Combiner() {}

  /** Which keys are read directly and which regions stand for the others. */
  enum Factorization {
    /** {@link CombinerFixed}. */
    FIXED,
    /** {@link CombinerLogsparse}. */
    LOGSPARSE,
    /** {@link CombinerAxial}. */
    AXIAL,
    /** {@link CombinerRowMajor}. */
    ROWMAJOR
  }

  /**
   * Settings.
   *
   * @param factorization the regions
   * @param segment tokens per segment (row of the grid); not for logsparse
   */
  record Options(Factorization factorization, int segment) {
    static final int DEFAULT_SEGMENT = 128;

    Options {
      Settings.require(ID, "segment", segment, 1);
    }

    static Options of(OptionSpec option) {
      option.allow("type", "segment");
      Factorization type = Settings.choice(option, "type", Factorization.FIXED);
      if (type == Factorization.LOGSPARSE && option.values().containsKey("segment")) {
        throw new IllegalArgumentException(
            "'"
                + ID
                + "' setting segment="
                + option.values().get("segment")
                + " has no meaning with type=logsparse, whose blocks are powers of two; leave it"
                + " out");
      }
      return new Options(type, Settings.integer(option, "segment", DEFAULT_SEGMENT, 1));
    }
  }

  static RegionMethod method(Options options, LayerShape shape) {
    boolean bidirectional = shape.mask() instanceof Mask.All;
    return switch (options.factorization) {
      case FIXED -> new CombinerFixed(options.segment, bidirectional);
      case AXIAL -> new CombinerAxial(options.segment, bidirectional);
      case ROWMAJOR -> new CombinerRowMajor(options.segment, bidirectional);
      case LOGSPARSE -> {
        if (bidirectional) {
          throw new IllegalArgumentException(
              "'"
                  + ID
                  + "' type=logsparse is causal but layer "
                  + shape.layer()
                  + " is bidirectional; use type=fixed, axial or rowmajor");
        }
        yield new CombinerLogsparse(shape.maxPositions());
      }
    };
  }
}
