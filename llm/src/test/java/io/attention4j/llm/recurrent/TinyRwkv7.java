package io.attention4j.llm.recurrent;

import io.attention4j.llm.gguf.GgufWriter;
import java.io.IOException;
import java.nio.file.Path;

/**
 * RWKV-7 with random weights: as a GGUF file in llama.cpp's conventions, and as float64 loops over
 * the tokens, written from the paper (arXiv 2503.14456) and sharing nothing with the decoder.
 */
final class TinyRwkv7 {
  private static final int DIM = 24;
  private static final int HEAD = 8;
  private static final int LAYERS = 3;
  private static final int WIDE = 40;

  private final TinyWeightSet w = new TinyWeightSet(7);
  private double[] firstValues;

  TinyRwkv7() {
    w.add("token_embd.weight", 0, 1, TinyWeightSet.VOCABULARY, DIM);
    norm("token_embd_norm");
    norm("output_norm");
    w.add("output.weight", 0, 0.6, TinyWeightSet.VOCABULARY, DIM);
    for (int layer = 0; layer < LAYERS; layer++) {
      String b = "blk." + layer + ".";
      norm(b + "attn_norm");
      norm(b + "attn_norm_2");
      w.add(b + "time_mix_lerp_fused.weight", 0.5, 0.5, 6, 1, 1, DIM);
      for (String role : new String[] {"receptance", "key", "value", "output"}) {
        w.add(b + "time_mix_" + role + ".weight", 0, 0.4, DIM, DIM);
      }
      int rank = 4;
      for (String role : new String[] {"w", "a", "v", "g"}) {
        // The first layer's v is written by converters and used by nobody.
        w.add(b + "time_mix_" + role + "1.weight", 0, 0.4, rank, DIM);
        w.add(b + "time_mix_" + role + "2.weight", 0, 0.8, DIM, rank);
        if (!role.equals("g")) {
          w.add(b + "time_mix_" + role + "0.weight", 0, 1, DIM);
        }
        rank++;
      }
      w.add(b + "time_mix_k_k.weight", 1, 0.4, DIM);
      w.add(b + "time_mix_k_a.weight", 1, 0.4, DIM);
      w.add(b + "time_mix_r_k.weight", 0, 0.4, DIM);
      norm(b + "time_mix_ln");
      w.add(b + "channel_mix_lerp_k.weight", 0.5, 0.5, DIM);
      w.add(b + "channel_mix_key.weight", 0, 0.4, WIDE, DIM);
      w.add(b + "channel_mix_value.weight", 0, 0.4, DIM, WIDE);
    }
  }

  private void norm(String name) {
    w.add(name + ".weight", 1, 0.3, DIM);
    w.add(name + ".bias", 0, 0.3, DIM);
  }

  Path write(Path file) throws IOException {
    GgufWriter writer =
        new GgufWriter()
            .string("general.architecture", "rwkv7")
            .uint32("rwkv7.context_length", 1024)
            .uint32("rwkv7.embedding_length", DIM)
            .uint32("rwkv7.block_count", LAYERS)
            .uint32("rwkv7.feed_forward_length", WIDE)
            .uint32("rwkv7.attention.head_count", 0)
            .float32("rwkv7.attention.layer_norm_epsilon", 1e-5f)
            .uint32("rwkv7.wkv.head_size", HEAD);
    return w.write(writer, file);
  }

  double[][] logits(int... tokens) {
    double[][][] shift = new double[LAYERS][2][DIM];
    double[][][] state = new double[LAYERS][DIM / HEAD][HEAD * HEAD];
    double[][] logits = new double[tokens.length][];
    for (int t = 0; t < tokens.length; t++) {
      double[] x = norm("token_embd_norm", w.row("token_embd.weight", tokens[t], DIM));
      for (int layer = 0; layer < LAYERS; layer++) {
        String b = "blk." + layer + ".";
        add(x, timeMix(b, layer, norm(b + "attn_norm", x), shift[layer], state[layer]));
        add(x, channelMix(b, norm(b + "attn_norm_2", x), shift[layer]));
      }
      logits[t] = w.product("output.weight", norm("output_norm", x));
    }
    return logits;
  }

  private double[] timeMix(String b, int layer, double[] x, double[][] shift, double[][] state) {
    double[] lerp = w.get(b + "time_mix_lerp_fused.weight");
    double[][] mixed = new double[6][DIM];
    for (int m = 0; m < 6; m++) {
      for (int i = 0; i < DIM; i++) {
        mixed[m][i] = x[i] + (shift[0][i] - x[i]) * lerp[m * DIM + i];
      }
    }
    shift[0] = x;
    String p = b + "time_mix_";
    double[] r = w.product(p + "receptance.weight", mixed[0]);
    double[] k = w.product(p + "key.weight", mixed[2]);
    double[] v = w.product(p + "value.weight", mixed[3]);
    double[] low = w.product(p + "w1.weight", mixed[1]);
    for (int i = 0; i < low.length; i++) {
      low[i] = Math.tanh(low[i]);
    }
    double[] decay = plus(w.product(p + "w2.weight", low), w.get(p + "w0.weight"));
    double[] rate = narrow(p, "a", mixed[4]);
    double[] g = w.product(p + "g1.weight", mixed[5]);
    for (int i = 0; i < g.length; i++) {
      g[i] = sigmoid(g[i]);
    }
    double[] gate = w.product(p + "g2.weight", g);
    if (layer == 0) {
      firstValues = v.clone();
    } else {
      double[] share = narrow(p, "v", mixed[3]);
      for (int i = 0; i < DIM; i++) {
        v[i] += (firstValues[i] - v[i]) * sigmoid(share[i]);
      }
    }
    double[] out = new double[DIM];
    for (int h = 0; h < DIM / HEAD; h++) {
      head(p, h * HEAD, r, k, v, decay, rate, state[h], out);
    }
    for (int i = 0; i < DIM; i++) {
      out[i] *= gate[i];
    }
    return w.product(p + "output.weight", out);
  }

  private void head(
      String p,
      int at,
      double[] r,
      double[] k,
      double[] v,
      double[] decay,
      double[] rate,
      double[] s,
      double[] out) {
    double[] removal = w.get(p + "k_k.weight");
    double[] scale = w.get(p + "k_a.weight");
    double[] bonus = w.get(p + "r_k.weight");
    double[] kk = new double[HEAD];
    double square = 0;
    for (int i = 0; i < HEAD; i++) {
      kk[i] = k[at + i] * removal[at + i];
      square += kk[i] * kk[i];
    }
    double own = 0;
    double[] y = new double[HEAD];
    double[] recalled = new double[HEAD];
    for (int i = 0; i < HEAD; i++) {
      kk[i] /= Math.sqrt(square);
      for (int j = 0; j < HEAD; j++) {
        recalled[j] += kk[i] * s[i * HEAD + j];
      }
    }
    for (int i = 0; i < HEAD; i++) {
      double a = sigmoid(rate[at + i]);
      double key = k[at + i] * (1 + (a - 1) * scale[at + i]);
      own += r[at + i] * key * bonus[at + i];
      double keep = Math.exp(-Math.exp(-0.5) * sigmoid(decay[at + i]));
      for (int j = 0; j < HEAD; j++) {
        double next = keep * s[i * HEAD + j] - kk[i] * a * recalled[j] + key * v[at + j];
        s[i * HEAD + j] = next;
        y[j] += r[at + i] * next;
      }
    }
    double[] normed = normalised(y, 1e-5 * HEAD);
    for (int j = 0; j < HEAD; j++) {
      out[at + j] =
          normed[j] * w.get(p + "ln.weight")[at + j]
              + w.get(p + "ln.bias")[at + j]
              + own * v[at + j];
    }
  }

  private double[] channelMix(String b, double[] x, double[][] shift) {
    double[] lerp = w.get(b + "channel_mix_lerp_k.weight");
    double[] mixed = new double[DIM];
    for (int i = 0; i < DIM; i++) {
      mixed[i] = x[i] + (shift[1][i] - x[i]) * lerp[i];
    }
    shift[1] = x;
    double[] wide = w.product(b + "channel_mix_key.weight", mixed);
    for (int i = 0; i < wide.length; i++) {
      wide[i] = Math.pow(Math.max(wide[i], 0), 2);
    }
    return w.product(b + "channel_mix_value.weight", wide);
  }

  private double[] narrow(String p, String role, double[] x) {
    return plus(
        w.product(p + role + "2.weight", w.product(p + role + "1.weight", x)),
        w.get(p + role + "0.weight"));
  }

  private double[] norm(String name, double[] x) {
    double[] out = normalised(x, 1e-5);
    for (int i = 0; i < out.length; i++) {
      out[i] = out[i] * w.get(name + ".weight")[i] + w.get(name + ".bias")[i];
    }
    return out;
  }

  private static double[] normalised(double[] x, double epsilon) {
    double mean = 0;
    double square = 0;
    for (double value : x) {
      mean += value / x.length;
    }
    for (double value : x) {
      square += (value - mean) * (value - mean) / x.length;
    }
    double[] out = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      out[i] = (x[i] - mean) / Math.sqrt(square + epsilon);
    }
    return out;
  }

  static double[] plus(double[] a, double[] b) {
    double[] sum = a.clone();
    add(sum, b);
    return sum;
  }

  static void add(double[] sum, double[] more) {
    for (int i = 0; i < sum.length; i++) {
      sum[i] += more[i];
    }
  }

  static double sigmoid(double x) {
    return 1 / (1 + Math.exp(-x));
  }
}
