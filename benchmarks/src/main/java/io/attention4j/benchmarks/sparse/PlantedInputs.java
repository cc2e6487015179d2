package io.attention4j.benchmarks.sparse;

import java.util.SplittableRandom;

/** Layers made up so that one knows where the attention is; one KV head per query head. */
final class PlantedInputs {
  private static final int CLUSTERS = 32;
  private static final int HEAVY = 16;

  private final int tokens;
  private final int heads;
  private final int dim;
  private final SplittableRandom random;
  private final float[] q;
  private final float[] k;
  private final float[] v;

  private PlantedInputs(int tokens, int heads, int dim, long seed) {
    this.tokens = tokens;
    this.heads = heads;
    this.dim = dim;
    random = new SplittableRandom(seed);
    q = gaussian();
    k = gaussian();
    v = gaussian();
  }

  private float[] gaussian() {
    float[] x = new float[tokens * heads * dim];
    for (int i = 0; i < x.length; i++) {
      x[i] = (float) random.nextGaussian();
    }
    return x;
  }

  private LayerInput input() {
    return new LayerInput(heads, heads, dim, q, k, v);
  }

  /** Independent unit normals: attention is spread over everything, the worst case. */
  static LayerInput random(int tokens, int heads, int dim, long seed) {
    return new PlantedInputs(tokens, heads, dim, seed).input();
  }

  /** Every query points at one earlier key, drawn uniformly, which gets nearly all weight. */
  static LayerInput needles(int tokens, int heads, int dim, long seed) {
    PlantedInputs inputs = new PlantedInputs(tokens, heads, dim, seed);
    // A key of norm sqrt(dim) times this: a score of some 2 ln(tokens).
    double towards = 2 * Math.log(tokens) / Math.sqrt(dim);
    for (int row = 0; row < tokens; row++) {
      for (int h = 0; h < heads; h++) {
        int needle = (inputs.random.nextInt(row + 1) * heads + h) * dim;
        int at = (row * heads + h) * dim;
        for (int d = 0; d < dim; d++) {
          inputs.q[at + d] = (float) (0.5 * inputs.q[at + d] + towards * inputs.k[needle + d]);
        }
      }
    }
    return inputs.input();
  }

  /** Queries and keys stand around 32 centres; a query's weight is on the keys of its centre. */
  static LayerInput clusters(int tokens, int heads, int dim, long seed) {
    PlantedInputs inputs = new PlantedInputs(tokens, heads, dim, seed);
    float[] centres = new PlantedInputs(CLUSTERS, heads, dim, seed + 1).q;
    double towards = Math.sqrt(2 * Math.log(tokens) / Math.sqrt(dim));
    for (float[] x : new float[][] {inputs.q, inputs.k}) {
      for (int token = 0; token < tokens; token++) {
        int cluster = inputs.random.nextInt(CLUSTERS);
        for (int h = 0; h < heads; h++) {
          for (int d = 0; d < dim; d++) {
            int at = (token * heads + h) * dim + d;
            x[at] = (float) (0.5 * x[at] + towards * centres[(cluster * heads + h) * dim + d]);
          }
        }
      }
    }
    return inputs.input();
  }

  /** Sixteen keys get much of every later query's weight. */
  static LayerInput heavyColumns(int tokens, int heads, int dim, long seed) {
    PlantedInputs inputs = new PlantedInputs(tokens, heads, dim, seed);
    double towards = Math.sqrt(1.5 * Math.log(tokens) / Math.sqrt(dim));
    float[] direction = new PlantedInputs(1, heads, dim, seed + 1).q;
    for (int token = 0; token < tokens; token++) {
      for (int h = 0; h < heads; h++) {
        for (int d = 0; d < dim; d++) {
          int at = (token * heads + h) * dim + d;
          inputs.q[at] = (float) (inputs.q[at] + towards * direction[h * dim + d]);
        }
      }
    }
    for (int i = 0; i < HEAVY; i++) {
      int token = inputs.random.nextInt(tokens / 2);
      for (int h = 0; h < heads; h++) {
        for (int d = 0; d < dim; d++) {
          int at = (token * heads + h) * dim + d;
          inputs.k[at] = (float) (inputs.k[at] + towards * direction[h * dim + d]);
        }
      }
    }
    return inputs.input();
  }
}
