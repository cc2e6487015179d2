package io.attention4j.llm.recurrent;

import io.attention4j.llm.gguf.GgufWriter;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * Mamba-2 with random weights: as a GGUF file in llama.cpp's conventions, and as float64 loops over
 * the tokens, written from the paper (arXiv 2405.21060) and sharing nothing with the decoder.
 */
final class TinyMamba2 {
  private static final int DIM = 20;
  private static final int HEADS = 4;
  private static final int HEAD = 6;
  private static final int STATE = 5;
  private static final int TAPS = 4;
  private static final int LAYERS = 2;
  private static final int INNER = HEADS * HEAD;

  private final int groups;
  private final int channels;
  private final TinyWeightSet w = new TinyWeightSet(2);

  TinyMamba2(int groups) {
    this.groups = groups;
    channels = INNER + 2 * groups * STATE;
    w.add("token_embd.weight", 0, 1, TinyWeightSet.VOCABULARY, DIM);
    w.add("output_norm.weight", 1, 0.3, DIM);
    for (int layer = 0; layer < LAYERS; layer++) {
      String b = "blk." + layer + ".";
      w.add(b + "attn_norm.weight", 1, 0.3, DIM);
      w.add(b + "ssm_in.weight", 0, 0.6, INNER + channels + HEADS, DIM);
      w.add(b + "ssm_conv1d.weight", 0, 0.8, channels, TAPS);
      w.add(b + "ssm_conv1d.bias", 0, 0.3, channels);
      w.add(b + "ssm_dt.bias", 0, 1, HEADS);
      w.add(b + "ssm_a", -1, 0.9, HEADS, 1);
      w.add(b + "ssm_d", 1, 0.5, HEADS, 1);
      w.add(b + "ssm_norm.weight", 1, 0.3, groups, INNER / groups);
      w.add(b + "ssm_out.weight", 0, 0.5, DIM, INNER);
    }
  }

  Path write(Path file) throws IOException {
    GgufWriter writer =
        new GgufWriter()
            .string("general.architecture", "mamba2")
            .uint32("mamba2.context_length", 1024)
            .uint32("mamba2.embedding_length", DIM)
            .uint32("mamba2.block_count", LAYERS)
            .uint32("mamba2.feed_forward_length", 0)
            .uint32("mamba2.attention.head_count", 0)
            .float32("mamba2.attention.layer_norm_rms_epsilon", 1e-5f)
            .uint32("mamba2.ssm.conv_kernel", TAPS)
            .uint32("mamba2.ssm.inner_size", INNER)
            .uint32("mamba2.ssm.state_size", STATE)
            .uint32("mamba2.ssm.time_step_rank", HEADS)
            .uint32("mamba2.ssm.group_count", groups);
    return w.write(writer, file);
  }

  double[][] logits(int... tokens) {
    double[][][] past = new double[LAYERS][TAPS][channels];
    double[][][] state = new double[LAYERS][HEADS][STATE * HEAD];
    double[][] logits = new double[tokens.length][];
    for (int t = 0; t < tokens.length; t++) {
      double[] x = w.row("token_embd.weight", tokens[t], DIM);
      for (int layer = 0; layer < LAYERS; layer++) {
        TinyRwkv7.add(x, mix("blk." + layer + ".", x, past[layer], state[layer]));
      }
      logits[t] = w.product("token_embd.weight", norm(x, w.get("output_norm.weight"), 0, DIM));
    }
    return logits;
  }

  private double[] mix(String b, double[] x, double[][] past, double[][] state) {
    double[] all = w.product(b + "ssm_in.weight", norm(x, w.get(b + "attn_norm.weight"), 0, DIM));
    System.arraycopy(past, 1, past, 0, TAPS - 1);
    past[TAPS - 1] = Arrays.copyOfRange(all, INNER, INNER + channels);
    double[] xbc = w.get(b + "ssm_conv1d.bias");
    double[] taps = w.get(b + "ssm_conv1d.weight");
    for (int c = 0; c < channels; c++) {
      for (int i = 0; i < TAPS; i++) {
        xbc[c] += taps[c * TAPS + i] * past[i][c];
      }
      xbc[c] *= TinyRwkv7.sigmoid(xbc[c]);
    }
    double[] y = new double[INNER];
    for (int h = 0; h < HEADS; h++) {
      double dt = Math.log1p(Math.exp(all[INNER + channels + h] + w.get(b + "ssm_dt.bias")[h]));
      double keep = Math.exp(dt * w.get(b + "ssm_a")[h]);
      int group = INNER + h / (HEADS / groups) * STATE;
      for (int j = 0; j < HEAD; j++) {
        int at = h * HEAD + j;
        for (int i = 0; i < STATE; i++) {
          int cell = i * HEAD + j;
          state[h][cell] = keep * state[h][cell] + dt * xbc[group + i] * xbc[at];
          y[at] += xbc[group + groups * STATE + i] * state[h][cell];
        }
        y[at] += w.get(b + "ssm_d")[h] * xbc[at];
        y[at] *= all[at] * TinyRwkv7.sigmoid(all[at]);
      }
    }
    double[] normed = new double[INNER];
    int size = INNER / groups;
    for (int g = 0; g < groups; g++) {
      double[] part = norm(y, w.get(b + "ssm_norm.weight"), g * size, size);
      System.arraycopy(part, 0, normed, g * size, size);
    }
    return w.product(b + "ssm_out.weight", normed);
  }

  private static double[] norm(double[] x, double[] weight, int from, int size) {
    double square = 0;
    for (int i = 0; i < size; i++) {
      square += x[from + i] * x[from + i] / size;
    }
    double[] out = new double[size];
    for (int i = 0; i < size; i++) {
      out[i] = x[from + i] / Math.sqrt(square + 1e-5) * weight[from + i];
    }
    return out;
  }
}
