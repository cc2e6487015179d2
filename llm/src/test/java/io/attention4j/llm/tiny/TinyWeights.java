package io.attention4j.llm.tiny;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * Random weights under GGUF names, in the order of rows that Hugging Face uses (a pair of a
 * rotation is half a head apart); norms without Gemma's 1.
 */
public final class TinyWeights {
  /**
   * A weight.
   *
   * @param rows 0 for a vector
   */
  public record Matrix(int rows, int columns, float[] values) {}

  private final Map<String, Matrix> weights = new LinkedHashMap<>();
  private final SplittableRandom random;

  private TinyWeights(long seed) {
    random = new SplittableRandom(seed);
  }

  public static Map<String, Matrix> of(TinySpec spec) {
    TinyWeights tiny = new TinyWeights(spec.name().hashCode());
    int dim = TinySpec.DIM;
    int queries = TinySpec.HEADS * spec.headDim();
    int keys = spec.kvHeads() * spec.headDim();
    tiny.matrix("token_embd", TinySpec.VOCABULARY, dim, 0.8);
    if (spec.isGpt2()) {
      tiny.matrix("position_embd", TinySpec.CONTEXT, dim, 0.3);
    }
    for (int layer = 0; layer < spec.layers(); layer++) {
      String blk = "blk." + layer + ".";
      tiny.norm(blk + "attn_norm", dim, spec);
      if (spec.isGpt2() || spec.isPhi3()) {
        tiny.matrix(blk + "attn_qkv", queries + 2 * keys, dim, 0.35);
      } else {
        tiny.matrix(blk + "attn_q", queries, dim, 0.35);
        tiny.matrix(blk + "attn_k", keys, dim, 0.35);
        tiny.matrix(blk + "attn_v", keys, dim, 0.35);
      }
      tiny.matrix(blk + "attn_output", dim, queries, 0.3);
      if (spec.normedQk()) {
        tiny.norm(blk + "attn_q_norm", spec.headDim(), spec);
        tiny.norm(blk + "attn_k_norm", spec.headDim(), spec);
      }
      tiny.biases(blk, queries, keys, spec);
      if (spec.isGemma()) {
        tiny.norm(blk + "post_attention_norm", dim, spec);
        tiny.norm(blk + "post_ffw_norm", dim, spec);
      }
      tiny.norm(blk + "ffn_norm", dim, spec);
      if (!spec.isGpt2() && !spec.isPhi3()) {
        tiny.matrix(blk + "ffn_gate", TinySpec.FEED_FORWARD, dim, 0.3);
      }
      int ups = spec.isPhi3() ? 2 * TinySpec.FEED_FORWARD : TinySpec.FEED_FORWARD;
      tiny.matrix(blk + "ffn_up", ups, dim, 0.3);
      tiny.matrix(blk + "ffn_down", dim, TinySpec.FEED_FORWARD, 0.3);
    }
    tiny.norm("output_norm", dim, spec);
    if (spec.untied()) {
      tiny.matrix("output", TinySpec.VOCABULARY, dim, 0.6);
    }
    return tiny.weights;
  }

  private void biases(String blk, int queries, int keys, TinySpec spec) {
    if (spec.isGpt2()) {
      vector(blk + "attn_qkv.bias", queries + 2 * keys, 0, 0.3);
      vector(blk + "attn_output.bias", TinySpec.DIM, 0, 0.3);
      vector(blk + "ffn_up.bias", TinySpec.FEED_FORWARD, 0, 0.3);
      vector(blk + "ffn_down.bias", TinySpec.DIM, 0, 0.3);
    } else if (spec.architecture().equals("qwen2")) {
      vector(blk + "attn_q.bias", queries, 0, 0.3);
      vector(blk + "attn_k.bias", keys, 0, 0.3);
      vector(blk + "attn_v.bias", keys, 0, 0.3);
    }
  }

  private void norm(String name, int size, TinySpec spec) {
    vector(name + ".weight", size, spec.isGemma() ? 0 : 1, 0.3);
    if (spec.isGpt2()) {
      vector(name + ".bias", size, 0, 0.2);
    }
  }

  private void matrix(String name, int rows, int columns, double spread) {
    weights.put(name + ".weight", new Matrix(rows, columns, draw(rows * columns, 0, spread)));
  }

  private void vector(String name, int size, double mean, double spread) {
    weights.put(name, new Matrix(0, size, draw(size, mean, spread)));
  }

  /** Uniform in mean +- spread. */
  private float[] draw(int count, double mean, double spread) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) (mean + spread * (2 * random.nextDouble() - 1));
    }
    return values;
  }
}
