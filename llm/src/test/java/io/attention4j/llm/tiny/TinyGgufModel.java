package io.attention4j.llm.tiny;

import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.gguf.GgufWriter;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.Map;

/** Writes tiny models as GGUF, in the conventions of llama.cpp's converter. */
public final class TinyGgufModel {
  private TinyGgufModel() {}

  /** Writes all of them to a folder, for another implementation to run. */
  public static void main(String[] args) throws IOException {
    for (TinySpec spec : TinySpec.all()) {
      write(spec, Path.of(args[0]).resolve(spec.name() + ".gguf"));
    }
  }

  public static Path write(TinySpec spec, Path file) throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      GgufWriter writer = settings(spec);
      TinyWeights.of(spec)
          .forEach(
              (name, matrix) -> {
                float[] values = converted(spec, name, matrix);
                writer.tensor(
                    name,
                    matrix.rows() == 0
                        ? Tensor.ofFloats(arena, values, matrix.columns())
                        : Tensor.ofFloats(arena, values, matrix.rows(), matrix.columns()));
              });
      for (Map.Entry<String, float[]> divisors : TinyRope.tensors(spec).entrySet()) {
        float[] values = divisors.getValue();
        writer.tensor(divisors.getKey(), Tensor.ofFloats(arena, values, values.length));
      }
      writer.write(file);
    }
    return file;
  }

  /** The file's settings and vocabulary without tensors, to be spoiled by a test. */
  public static GgufWriter settings(TinySpec spec) {
    String a = spec.architecture() + ".";
    GgufWriter writer =
        new GgufWriter()
            .string("general.architecture", spec.architecture())
            .string("general.name", "tiny") // llama.cpp wants special tokens of a "phi3"
            .uint32(a + "context_length", TinySpec.CONTEXT)
            .uint32(a + "embedding_length", TinySpec.DIM)
            .uint32(a + "block_count", spec.layers())
            .uint32(a + "feed_forward_length", TinySpec.FEED_FORWARD)
            .uint32(a + "attention.head_count", TinySpec.HEADS)
            .uint32(a + "attention.head_count_kv", spec.kvHeads())
            .uint32(a + "attention.key_length", spec.headDim())
            .uint32(a + "attention.value_length", spec.headDim());
    if (spec.isGpt2()) {
      writer.float32(a + "attention.layer_norm_epsilon", (float) TinySpec.EPSILON);
    } else {
      writer.float32(a + "attention.layer_norm_rms_epsilon", (float) TinySpec.EPSILON);
      writer.uint32(a + "rope.dimension_count", spec.rotaryDim());
      writer.float32(a + "rope.freq_base", (float) TinySpec.BASE);
    }
    if (spec.window() > 0) {
      writer.uint32(a + "attention.sliding_window", spec.window());
    }
    if (spec.architecture().equals("gemma2")) {
      writer.float32(a + "attn_logit_softcapping", 50);
      writer.float32(a + "final_logit_softcapping", 30);
    }
    TinyRope.settings(spec, writer);
    return vocabulary(writer);
  }

  private static GgufWriter vocabulary(GgufWriter writer) {
    return writer
        .string("tokenizer.ggml.model", "gpt2")
        .string("tokenizer.ggml.pre", "gpt-2")
        .strings("tokenizer.ggml.tokens", TinyVocabulary.tokens())
        .int32s("tokenizer.ggml.token_type", TinyVocabulary.types())
        .strings("tokenizer.ggml.merges", TinyVocabulary.MERGES)
        .uint32("tokenizer.ggml.bos_token_id", TinyVocabulary.BOS)
        .uint32("tokenizer.ggml.eos_token_id", TinyVocabulary.EOS)
        .bool("tokenizer.ggml.add_bos_token", true)
        .bool("tokenizer.ggml.add_eos_token", false);
  }

  /** Llama's q and k rows go from half-split to interleaved pairs; Gemma's norms get their 1. */
  private static float[] converted(TinySpec spec, String name, TinyWeights.Matrix matrix) {
    if (spec.isGemma() && name.endsWith("norm.weight")) {
      float[] values = matrix.values().clone();
      for (int i = 0; i < values.length; i++) {
        values[i] += 1;
      }
      return values;
    }
    boolean rotated = name.endsWith("attn_q.weight") || name.endsWith("attn_k.weight");
    if (!spec.architecture().equals("llama") || !rotated) {
      return matrix.values();
    }
    float[] values = new float[matrix.values().length];
    int half = spec.headDim() / 2;
    for (int row = 0; row < matrix.rows(); row++) {
      int head = row / spec.headDim();
      int i = row % spec.headDim();
      int target = head * spec.headDim() + (i < half ? 2 * i : 2 * (i - half) + 1);
      System.arraycopy(
          matrix.values(),
          row * matrix.columns(),
          values,
          target * matrix.columns(),
          matrix.columns());
    }
    return values;
  }
}
