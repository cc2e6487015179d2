package io.attention4j.llm.tiny;

import io.attention4j.llm.tiny.TinyWeights.Matrix;
import java.util.Arrays;
import java.util.Map;
import java.util.function.DoubleUnaryOperator;

/**
 * The tiny models in float64 plain loops over the whole sequence, without a cache: each
 * architecture written down once more from its paper and its Hugging Face code, sharing nothing
 * with the decoder.
 */
public final class TinyReference {
  private final TinySpec spec;
  private final Map<String, Matrix> weights;

  public TinyReference(TinySpec spec) {
    this.spec = spec;
    this.weights = TinyWeights.of(spec);
  }

  /** Logits of every position, [tokens][vocabulary]. */
  public double[][] logits(int... tokens) {
    double[][] x = new double[tokens.length][];
    for (int t = 0; t < tokens.length; t++) {
      x[t] = row("token_embd.weight", tokens[t]);
      if (spec.isGpt2()) {
        x[t] = sum(x[t], row("position_embd.weight", t));
      }
      if (spec.isGemma()) {
        x[t] = map(x[t], v -> v * Math.sqrt(TinySpec.DIM));
      }
    }
    for (int layer = 0; layer < spec.layers(); layer++) {
      block(x, layer, "blk." + layer + ".");
    }
    double[][] logits = new double[tokens.length][];
    for (int t = 0; t < tokens.length; t++) {
      String output = spec.untied() ? "output" : "token_embd";
      logits[t] = linear(output, norm("output_norm", x[t]));
      if (spec.architecture().equals("gemma2")) {
        logits[t] = map(logits[t], v -> 30 * Math.tanh(v / 30));
      }
    }
    return logits;
  }

  private void block(double[][] x, int layer, String blk) {
    double[][] attended = attention(x, layer, blk);
    for (int t = 0; t < x.length; t++) {
      double[] branch = linear(blk + "attn_output", attended[t]);
      x[t] = sum(x[t], spec.isGemma() ? norm(blk + "post_attention_norm", branch) : branch);
      branch = feedForward(blk, norm(blk + "ffn_norm", x[t]));
      x[t] = sum(x[t], spec.isGemma() ? norm(blk + "post_ffw_norm", branch) : branch);
    }
  }

  private double[] feedForward(String blk, double[] x) {
    double[] up = linear(blk + "ffn_up", x);
    if (spec.isGpt2()) {
      return linear(blk + "ffn_down", map(up, TinyReference::geluTanh));
    }
    double[] gate;
    if (spec.isPhi3()) {
      gate = part(up, 0, TinySpec.FEED_FORWARD);
      up = part(up, TinySpec.FEED_FORWARD, TinySpec.FEED_FORWARD);
    } else {
      gate = linear(blk + "ffn_gate", x);
    }
    double[] product = new double[TinySpec.FEED_FORWARD];
    for (int i = 0; i < product.length; i++) {
      double g = gate[i];
      product[i] = up[i] * (spec.isGemma() ? geluTanh(g) : g / (1 + Math.exp(-g)));
    }
    return linear(blk + "ffn_down", product);
  }

  private static double geluTanh(double x) {
    return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
  }

  private double[][] attention(double[][] x, int layer, String blk) {
    int head = spec.headDim();
    int queries = TinySpec.HEADS * head;
    int keys = spec.kvHeads() * head;
    double[][][] qkv = new double[x.length][][];
    for (int t = 0; t < x.length; t++) {
      double[] normed = norm(blk + "attn_norm", x[t]);
      if (spec.isGpt2() || spec.isPhi3()) {
        double[] all = linear(blk + "attn_qkv", normed);
        qkv[t] =
            new double[][] {
              part(all, 0, queries), part(all, queries, keys), part(all, queries + keys, keys)
            };
      } else {
        qkv[t] =
            new double[][] {
              linear(blk + "attn_q", normed),
              linear(blk + "attn_k", normed),
              linear(blk + "attn_v", normed)
            };
      }
      if (spec.normedQk()) {
        qkv[t][0] = normHeads(blk + "attn_q_norm", qkv[t][0]);
        qkv[t][1] = normHeads(blk + "attn_k_norm", qkv[t][1]);
      }
      rotate(qkv[t][0], layer, t);
      rotate(qkv[t][1], layer, t);
    }
    double[][] out = new double[x.length][queries];
    int group = TinySpec.HEADS / spec.kvHeads();
    for (int t = 0; t < x.length; t++) {
      int first = spec.sliding(layer) ? Math.max(0, t - spec.window() + 1) : 0;
      for (int h = 0; h < TinySpec.HEADS; h++) {
        attendHead(qkv, t, first, h * head, h / group * head, out[t]);
      }
    }
    return out;
  }

  private void attendHead(
      double[][][] qkv, int t, int first, int queryAt, int keyAt, double[] out) {
    int head = spec.headDim();
    double[] weight = new double[t + 1];
    double total = 0;
    for (int s = first; s <= t; s++) {
      double score = 0;
      for (int i = 0; i < head; i++) {
        score += qkv[t][0][queryAt + i] * qkv[s][1][keyAt + i];
      }
      score /= Math.sqrt(head);
      if (spec.architecture().equals("gemma2")) {
        score = 50 * Math.tanh(score / 50);
      }
      weight[s] = Math.exp(score);
      total += weight[s];
    }
    for (int s = first; s <= t; s++) {
      for (int i = 0; i < head; i++) {
        out[queryAt + i] += weight[s] / total * qkv[s][2][keyAt + i];
      }
    }
  }

  private void rotate(double[] heads, int layer, int position) {
    int half = spec.rotaryDim() / 2;
    double factor = TinyRope.attentionFactor(spec);
    for (int at = 0; at < heads.length; at += spec.headDim()) {
      for (int i = 0; i < half; i++) {
        double angle = TinyRope.angle(spec, layer, position, i);
        double a = heads[at + i];
        double b = heads[at + half + i];
        heads[at + i] = factor * (a * Math.cos(angle) - b * Math.sin(angle));
        heads[at + half + i] = factor * (a * Math.sin(angle) + b * Math.cos(angle));
      }
    }
  }

  private double[] normHeads(String name, double[] heads) {
    double[] out = new double[heads.length];
    for (int at = 0; at < heads.length; at += spec.headDim()) {
      double[] normed = norm(name, part(heads, at, spec.headDim()));
      System.arraycopy(normed, 0, out, at, normed.length);
    }
    return out;
  }

  private double[] norm(String name, double[] x) {
    float[] weight = weights.get(name + ".weight").values();
    double mean = 0;
    if (spec.isGpt2()) {
      for (double v : x) {
        mean += v / x.length;
      }
    }
    double square = 0;
    for (double v : x) {
      square += (v - mean) * (v - mean) / x.length;
    }
    double[] out = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      double scale = spec.isGemma() ? 1.0 + weight[i] : weight[i];
      out[i] = (x[i] - mean) / Math.sqrt(square + TinySpec.EPSILON) * scale;
      if (spec.isGpt2()) {
        out[i] += weights.get(name + ".bias").values()[i];
      }
    }
    return out;
  }

  private double[] linear(String name, double[] x) {
    Matrix matrix = weights.get(name + ".weight");
    Matrix bias = weights.get(name + ".bias");
    double[] out = new double[matrix.rows()];
    for (int o = 0; o < out.length; o++) {
      out[o] = bias == null ? 0 : bias.values()[o];
      for (int i = 0; i < x.length; i++) {
        out[o] += matrix.values()[o * x.length + i] * x[i];
      }
    }
    return out;
  }

  private double[] row(String name, int index) {
    Matrix matrix = weights.get(name);
    double[] out = new double[matrix.columns()];
    for (int i = 0; i < out.length; i++) {
      out[i] = matrix.values()[index * out.length + i];
    }
    return out;
  }

  private static double[] sum(double[] a, double[] b) {
    double[] out = a.clone();
    for (int i = 0; i < out.length; i++) {
      out[i] += b[i];
    }
    return out;
  }

  private static double[] map(double[] x, DoubleUnaryOperator function) {
    double[] out = new double[x.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = function.applyAsDouble(x[i]);
    }
    return out;
  }

  private static double[] part(double[] x, int from, int length) {
    return Arrays.copyOfRange(x, from, from + length);
  }
}
