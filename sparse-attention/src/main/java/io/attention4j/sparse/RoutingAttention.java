package io.attention4j.sparse;

import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.attention.Normalizer;
import io.attention4j.engine.attention.ScoreModifier;
import io.attention4j.engine.operator.AttentionLayer;
import io.attention4j.engine.operator.AttentionOperator;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.Needs;
import io.attention4j.engine.operator.OperatorContext;
import io.attention4j.engine.operator.OptionSpec;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.AttentionKernel;
import io.attention4j.engine.spi.RopeKernel;
import java.util.List;
import java.util.Set;

/**
 * Routing Transformer (Roy et al. 2020, arXiv 2003.05997): a query attends to the keys of its own
 * k-means cluster. Per routing head and centroid, the {@code tokens} most similar queries and the
 * as many most similar keys form a cluster (balanced, so a token may be in none, one or several); a
 * row's output is the mean over its clusters, sum / (count + eps), and zero where it is in none.
 *
 * <p>Masks are by position, also where queries and keys form different sets. A cluster of which a
 * row may see no key does not count for it. In prefill the sets of a step are those of all its
 * tokens, so later tokens decide who is in; {@code strict} forms them anew for every row from the
 * tokens so far, as decoding does.
 *
 * <p>Vectors are those that the kernels see: rotated, as in lucidrains' program, and as the cache
 * stores them. Under grouped queries a routing head takes the keys of its KV head [R].
 *
 * @param options settings
 */
public record RoutingAttention(Options options) implements AttentionOperator {
  /** Name in options. */
  public static final String ID = "routing";

  /** How vectors are normalised. */
  public enum Norm {
    /** Length 1 for the clusters alone; the model's own scores (lucidrains). */
    UNIT {
      @Override
      void apply(double[] x, int offset, int dim) {
        double square = 0;
        for (int d = offset; d < offset + dim; d++) {
          square += x[d] * x[d];
        }
        scale(x, offset, dim, 0, square);
      }

      @Override
      void renormalize(double[] mean, int offset, int dim) {
        apply(mean, offset, dim);
      }
    },
    /**
     * Mean 0 and variance 1 for queries and keys, in the scores too, which have no other scale
     * (Google).
     */
    LAYER {
      @Override
      void apply(double[] x, int offset, int dim) {
        double sum = 0;
        for (int d = offset; d < offset + dim; d++) {
          sum += x[d];
        }
        double mean = sum / dim;
        double square = 0;
        for (int d = offset; d < offset + dim; d++) {
          square += (x[d] - mean) * (x[d] - mean);
        }
        scale(x, offset, dim, mean, square / dim);
      }

      @Override
      void renormalize(double[] mean, int offset, int dim) {
        // The authors leave centroids as they are averaged.
      }
    };

    /** Normalises a vector in place; zero stays zero. */
    abstract void apply(double[] x, int offset, int dim);

    /** The same for floats. */
    final void apply(float[] x, int offset, int dim) {
      double[] wide = new double[dim];
      for (int d = 0; d < dim; d++) {
        wide[d] = x[offset + d];
      }
      apply(wide, 0, dim);
      for (int d = 0; d < dim; d++) {
        x[offset + d] = (float) wide[d];
      }
    }

    /** What a centroid gets after averaging. */
    abstract void renormalize(double[] mean, int offset, int dim);

    private static void scale(double[] x, int offset, int dim, double mean, double square) {
      double factor = square > 0 ? 1 / Math.sqrt(square) : 0;
      for (int d = offset; d < offset + dim; d++) {
        x[d] = (x[d] - mean) * factor;
      }
    }
  }

  /** Who is in a cluster as a query. */
  public enum Queries {
    /** The {@code tokens} most similar ones. */
    BALANCED,
    /** Those to which the centroid is the nearest: each in one cluster, however large [R]. */
    NEAREST
  }

  /**
   * Settings.
   *
   * @param clusters centroids per head
   * @param tokens tokens per cluster, 0 for (context / clusters)
   * @param local first query heads that read a window instead
   * @param block tokens per block of those: a row reads its block and the one before
   * @param norm how vectors are normalised
   * @param tied whether a key is the normalised query, in causal layers
   * @param queries who is in a cluster as a query
   * @param eps added to the count of clusters; negative for the program's: 1e-2 with norm=layer,
   *     1e-5 with norm=unit
   * @param strict whether every row's sets are those of the tokens so far
   * @param centroids safetensors file with trained centroids, or empty for random directions
   * @param learn safetensors file to which centroids learned here go when the model is closed, or
   *     empty for none
   * @param decay of the moving averages of learning
   * @param seed of random directions
   */
  public record Options(
      int clusters,
      int tokens,
      int local,
      int block,
      Norm norm,
      boolean tied,
      Queries queries,
      double eps,
      boolean strict,
      String centroids,
      String learn,
      double decay,
      int seed) {
    static final int DEFAULT_CLUSTERS = 16;
    static final int DEFAULT_BLOCK = 256;
    static final double DEFAULT_DECAY = 0.999;

    /** Checks the ranges. */
    public Options {
      Settings.require(ID, "clusters", clusters, 1, 1 << 16);
      Settings.require(ID, "tokens", tokens, 0);
      Settings.require(ID, "local", local, 0);
      Settings.require(ID, "block", block, 1);
      Settings.requireNumber(ID, "decay", decay, 1);
      Settings.require(ID, "seed", seed, 0);
      if (!(eps <= 1)) {
        throw new IllegalArgumentException(
            "'" + ID + "' setting eps=" + eps + " is outside 0..1; write eps=0 for a plain mean");
      }
      if (eps < 0) {
        eps = norm == Norm.LAYER ? 1e-2 : 1e-5;
      }
    }

    static Options of(OptionSpec option) {
      option.allow(
          "clusters",
          "tokens",
          "local",
          "block",
          "norm",
          "tied",
          "queries",
          "eps",
          "strict",
          "centroids",
          "learn",
          "decay",
          "seed");
      return new Options(
          Settings.integer(option, "clusters", DEFAULT_CLUSTERS, 1),
          Settings.integer(option, "tokens", 0, 0),
          Settings.integer(option, "local", 0, 0),
          Settings.integer(option, "block", DEFAULT_BLOCK, 1),
          Settings.choice(option, "norm", Norm.UNIT),
          Settings.flag(option, "tied"),
          Settings.choice(option, "queries", Queries.BALANCED),
          option.values().containsKey("eps") ? Settings.number(option, "eps", 0, 1) : -1,
          Settings.flag(option, "strict"),
          option.text("centroids", ""),
          option.text("learn", ""),
          Settings.number(option, "decay", DEFAULT_DECAY, 1),
          Settings.integer(option, "seed", 0, 0));
    }
  }

  @Override
  public String id() {
    return ID;
  }

  @Override
  public Needs needs() {
    return new Needs(
        Set.of(), Set.of(), Set.of(Needs.Direction.CAUSAL, Needs.Direction.BIDIRECTIONAL));
  }

  @Override
  public AttentionLayer open(LayerShape shape, OperatorContext context) {
    requireSuited(shape);
    KernelSelector kernels = context.kernels();
    int heads = shape.queryHeads() - options.local;
    long seed = ((long) options.seed << 32) + shape.layer();
    Centroids centroids =
        options.centroids.isEmpty()
            ? Centroids.random(options.norm, heads, options.clusters, shape.headDim(), seed)
            : Centroids.of(
                options.norm,
                heads,
                options.clusters,
                shape.headDim(),
                GateWeights.open(ID, options.centroids, shape, "routing.", context));
    AttentionSpec spec =
        new AttentionSpec(
            shape.queryHeads(),
            shape.kvHeads(),
            shape.headDim(),
            shape.valueDim(),
            options.norm == Norm.LAYER ? 1 : shape.scale(),
            new Normalizer.Softmax(),
            shape.mask(),
            shape.modifiers(),
            List.of(),
            context.caches().keyFormat(),
            context.caches().valueFormat(),
            AttentionSpec.SelectionKind.GATHERED);
    return new RoutingLayer(
        options,
        shape,
        context,
        centroids,
        shape.rope() == null ? null : kernels.select(RopeKernel.class, shape.rope()),
        kernels.select(AttentionKernel.class, spec).plan(spec));
  }

  private void requireSuited(LayerShape shape) {
    boolean causal = shape.mask() instanceof Mask.Causal;
    boolean plain =
        (causal || shape.mask() instanceof Mask.All)
            && shape.sinks().isEmpty()
            && shape.modifiers().stream().noneMatch(m -> m instanceof ScoreModifier.AdditiveBias);
    if (!plain) {
      refuse(
          shape,
          "takes causal or bidirectional layers without window, bias and sinks, but it has "
              + shape.mask()
              + ", "
              + shape.modifiers()
              + " and "
              + shape.sinks().size()
              + " sinks; use softmax there");
    }
    if (options.local >= shape.queryHeads()) {
      refuse(
          shape,
          "has local="
              + options.local
              + " of "
              + shape.queryHeads()
              + " query heads, which leaves none to route; write local="
              + (shape.queryHeads() - 1)
              + " or less, or use window");
    }
    if (options.tied && (!causal || shape.queryHeads() != shape.kvHeads())) {
      refuse(
          shape,
          "has tied=true, which needs a causal layer with as many KV heads as query heads, but it"
              + " has "
              + shape.kvHeads()
              + " for "
              + shape.queryHeads()
              + "; write tied=false");
    }
    if (options.strict && !causal) {
      refuse(shape, "has strict=true, which needs a causal layer; write strict=false");
    }
  }

  private static void refuse(LayerShape shape, String problem) {
    throw new IllegalArgumentException(
        "attention '" + ID + "' in layer " + shape.layer() + " " + problem);
  }
}
