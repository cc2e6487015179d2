package io.attention4j.llm.golden;

import io.attention4j.engine.tensor.DType;
import io.attention4j.llm.gguf.GgufQuantizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * Tiny models with random weights, one per architecture and feature, in files as llama.cpp reads
 * them. Attention scores spread by more than 1, so masks and rotations show in the logits, and caps
 * are low enough to bite. Models of one architecture share a seed, and their weights if the shapes
 * are equal. Seeds are chosen so that no greedy step is a close race.
 */
final class TinyModels {
  private static final int CONTEXT = 256;
  private static final int ORIGINAL_CONTEXT = 64;
  private static final int WINDOW = 8;
  private static final double ROPE_BASE = 10_000;
  private static final double QK_GAIN = 1.5;
  // Small beside the branches, or a tied model would repeat its last token for ever.
  private static final double EMBEDDING_DEVIATION = 0.05;
  private static final double TIED_NORM = 8;
  private static final Dims DIMS = new Dims(2, 64, 4, 2, 16, 96);

  /**
   * A model.
   *
   * @param name of its file and its golden values
   * @param contents its settings and F32 weights
   * @param type of its matrices in the file
   */
  record TinyModel(String name, Supplier<TinyModelWriter> contents, DType type) {
    void write(Path file) throws IOException {
      if (type == DType.F32) {
        contents.get().write(file);
        return;
      }
      Path wide = file.resolveSibling(name + ".f32");
      contents.get().write(wide);
      GgufQuantizer.quantize(wide, file, type);
      Files.delete(wide);
    }

    @Override
    public String toString() {
      return name;
    }
  }

  private record Dims(int layers, int dim, int heads, int kvHeads, int headDim, int feedForward) {
    int queryRows() {
      return heads * headDim;
    }

    int keyRows() {
      return kvHeads * headDim;
    }
  }

  private TinyModels() {}

  /** Writes all of them as NAME.gguf into the folder given. */
  public static void main(String[] args) throws IOException {
    Path folder = Files.createDirectories(Path.of(args[0]));
    for (TinyModel model : all()) {
      model.write(folder.resolve(model.name() + ".gguf"));
    }
  }

  static List<TinyModel> all() {
    return List.of(
        model("llama", () -> llama(2101, w -> {})),
        new TinyModel("llama-f16", () -> llama(2101, w -> {}), DType.F16),
        new TinyModel("llama-q8_0", () -> llama(2136, w -> {}), DType.Q8_0),
        model("llama-linear", () -> llama(2101, w -> scaling(w, "linear", 4))),
        model("llama-yarn", () -> llama(2101, w -> scaling(w, "yarn", 4))),
        model(
            "llama-llama3",
            () -> llama(2101, w -> w.vector("rope_freqs.weight", llama3Divisors()))),
        model("mistral", TinyModels::mistral),
        model("smollm", TinyModels::smolLm),
        model("qwen2", TinyModels::qwen2),
        model("qwen3", TinyModels::qwen3),
        model("gemma2", TinyModels::gemma2),
        model("gemma3", () -> gemma3(w -> {})),
        model(
            "gemma3-linear",
            () -> gemma3(w -> scaling(w, "linear", 8).setting("rope.freq_base_swa", 1000.0))),
        model("phi3", () -> phi3(DIMS.headDim(), w -> {})),
        model("phi3-longrope_short", () -> phi3(12, w -> longRope(w, CONTEXT))),
        model("phi3-longrope_long", () -> phi3(12, w -> longRope(w, ORIGINAL_CONTEXT))),
        model("gpt2", TinyModels::gpt2));
  }

  private static TinyModel model(String name, Supplier<TinyModelWriter> contents) {
    return new TinyModel(name, contents, DType.F32);
  }

  private static TinyModelWriter llama(long seed, Consumer<TinyModelWriter> feature) {
    TinyVocabulary vocabulary = TinyVocabulary.sentencePiece();
    TinyModelWriter w = rotated("llama", seed, DIMS, DIMS.headDim(), vocabulary);
    feature.accept(w);
    for (int layer = 0; layer < DIMS.layers(); layer++) {
      attention(w, layer, DIMS);
      gatedFeedForward(w, layer, DIMS);
    }
    return output(w, DIMS, vocabulary);
  }

  /**
   * As Mistral Nemo, with heads that are no equal parts of the hidden state; without the window of
   * Mistral 0.1, which llama.cpp ignores.
   */
  private static TinyModelWriter mistral() {
    Dims dims = new Dims(2, 64, 4, 2, 24, 96);
    TinyVocabulary vocabulary = TinyVocabulary.sentencePiece();
    TinyModelWriter w = rotated("llama", 1302, dims, dims.headDim(), vocabulary);
    for (int layer = 0; layer < dims.layers(); layer++) {
      attention(w, layer, dims);
      gatedFeedForward(w, layer, dims);
    }
    return output(w, dims, vocabulary);
  }

  /** Tied, with one KV head for three query heads. */
  private static TinyModelWriter smolLm() {
    Dims dims = new Dims(3, 48, 3, 1, 16, 80);
    TinyModelWriter w = rotated("llama", 303, dims, dims.headDim(), TinyVocabulary.bpe("smollm"));
    for (int layer = 0; layer < dims.layers(); layer++) {
      attention(w, layer, dims);
      gatedFeedForward(w, layer, dims);
    }
    return tiedOutput(w, dims);
  }

  private static TinyModelWriter qwen2() {
    TinyVocabulary vocabulary = TinyVocabulary.bpe("qwen2");
    TinyModelWriter w = rotated("qwen2", 804, DIMS, DIMS.headDim(), vocabulary);
    for (int layer = 0; layer < DIMS.layers(); layer++) {
      attention(w, layer, DIMS);
      w.bias(block(layer, "attn_q.bias"), DIMS.queryRows(), 1)
          .bias(block(layer, "attn_k.bias"), DIMS.keyRows(), 1)
          .bias(block(layer, "attn_v.bias"), DIMS.keyRows(), 0.5);
      gatedFeedForward(w, layer, DIMS);
    }
    return output(w, DIMS, vocabulary);
  }

  private static TinyModelWriter qwen3() {
    Dims dims = new Dims(2, 64, 4, 2, 32, 96);
    TinyModelWriter w = rotated("qwen3", 2505, dims, dims.headDim(), TinyVocabulary.bpe("qwen2"));
    for (int layer = 0; layer < dims.layers(); layer++) {
      attention(w, layer, dims);
      headNorms(w, layer, dims);
      gatedFeedForward(w, layer, dims);
    }
    return tiedOutput(w, dims);
  }

  private static TinyModelWriter gemma2() {
    Dims dims = new Dims(4, 64, 4, 2, 24, 96);
    TinyModelWriter w = rotated("gemma2", 2206, dims, dims.headDim(), TinyVocabulary.gemma());
    w.setting("attention.sliding_window", WINDOW)
        .setting("attn_logit_softcapping", 4.0)
        .setting("final_logit_softcapping", 12.0);
    for (int layer = 0; layer < dims.layers(); layer++) {
      attention(w, layer, dims);
      gatedFeedForward(w, layer, dims);
      branchNorms(w, layer, dims);
    }
    return tiedOutput(w, dims);
  }

  private static TinyModelWriter gemma3(Consumer<TinyModelWriter> feature) {
    Dims dims = new Dims(6, 64, 4, 2, 24, 96);
    TinyModelWriter w = rotated("gemma3", 1707, dims, dims.headDim(), TinyVocabulary.gemma());
    w.setting("attention.sliding_window", WINDOW);
    feature.accept(w);
    for (int layer = 0; layer < dims.layers(); layer++) {
      attention(w, layer, dims);
      headNorms(w, layer, dims);
      gatedFeedForward(w, layer, dims);
      branchNorms(w, layer, dims);
    }
    return tiedOutput(w, dims);
  }

  private static TinyModelWriter phi3(int rotaryDim, Consumer<TinyModelWriter> feature) {
    TinyVocabulary vocabulary = TinyVocabulary.sentencePiece();
    TinyModelWriter w = rotated("phi3", 1508, DIMS, rotaryDim, vocabulary);
    feature.accept(w);
    for (int layer = 0; layer < DIMS.layers(); layer++) {
      w.norm(block(layer, "attn_norm.weight"), DIMS.dim(), 1)
          .matrix(
              block(layer, "attn_qkv.weight"),
              DIMS.queryRows() + 2 * DIMS.keyRows(),
              DIMS.dim(),
              QK_GAIN)
          .matrix(block(layer, "attn_output.weight"), DIMS.dim(), DIMS.queryRows(), 1)
          .norm(block(layer, "ffn_norm.weight"), DIMS.dim(), 1)
          .matrix(block(layer, "ffn_up.weight"), 2 * DIMS.feedForward(), DIMS.dim(), 1.5)
          .matrix(block(layer, "ffn_down.weight"), DIMS.dim(), DIMS.feedForward(), 1);
    }
    return output(w, DIMS, vocabulary);
  }

  private static TinyModelWriter gpt2() {
    Dims dims = new Dims(2, 64, 4, 4, 16, 96);
    int dim = dims.dim();
    TinyModelWriter w = sizes("gpt2", 2809, dims, TinyVocabulary.bpe("gpt-2"));
    w.setting("attention.layer_norm_epsilon", 1e-5).rows("position_embd.weight", CONTEXT, dim, 0.3);
    for (int layer = 0; layer < dims.layers(); layer++) {
      layerNorm(w, block(layer, "attn_norm"), dim);
      biased(w, block(layer, "attn_qkv"), 3 * dim, dim, QK_GAIN);
      biased(w, block(layer, "attn_output"), dim, dim, 1);
      layerNorm(w, block(layer, "ffn_norm"), dim);
      biased(w, block(layer, "ffn_up"), dims.feedForward(), dim, 1.5);
      biased(w, block(layer, "ffn_down"), dim, dims.feedForward(), 1);
    }
    w.norm("output_norm.weight", dim, TIED_NORM).bias("output_norm.bias", dim, 0.2 * TIED_NORM);
    return w;
  }

  private static void layerNorm(TinyModelWriter w, String name, int size) {
    w.norm(name + ".weight", size, 1).bias(name + ".bias", size, 0.2);
  }

  private static void biased(TinyModelWriter w, String name, int rows, int columns, double gain) {
    w.matrix(name + ".weight", rows, columns, gain).bias(name + ".bias", rows, 0.3);
  }

  private static TinyModelWriter sizes(
      String architecture, long seed, Dims dims, TinyVocabulary vocabulary) {
    return new TinyModelWriter(architecture, seed)
        .setting("context_length", CONTEXT)
        .setting("embedding_length", dims.dim())
        .setting("block_count", dims.layers())
        .setting("feed_forward_length", dims.feedForward())
        .setting("attention.head_count", dims.heads())
        .setting("attention.head_count_kv", dims.kvHeads())
        .vocabulary(vocabulary)
        .rows("token_embd.weight", vocabulary.size(), dims.dim(), EMBEDDING_DEVIATION);
  }

  private static TinyModelWriter rotated(
      String architecture, long seed, Dims dims, int rotaryDim, TinyVocabulary vocabulary) {
    return sizes(architecture, seed, dims, vocabulary)
        .setting("attention.key_length", dims.headDim())
        .setting("attention.value_length", dims.headDim())
        .setting("attention.layer_norm_rms_epsilon", 1e-5)
        .setting("rope.dimension_count", rotaryDim)
        .setting("rope.freq_base", ROPE_BASE);
  }

  private static void attention(TinyModelWriter w, int layer, Dims dims) {
    w.norm(block(layer, "attn_norm.weight"), dims.dim(), 1)
        .matrix(block(layer, "attn_q.weight"), dims.queryRows(), dims.dim(), QK_GAIN)
        .matrix(block(layer, "attn_k.weight"), dims.keyRows(), dims.dim(), QK_GAIN)
        .matrix(block(layer, "attn_v.weight"), dims.keyRows(), dims.dim(), 1.5)
        .matrix(block(layer, "attn_output.weight"), dims.dim(), dims.queryRows(), 1);
  }

  private static void gatedFeedForward(TinyModelWriter w, int layer, Dims dims) {
    w.norm(block(layer, "ffn_norm.weight"), dims.dim(), 1)
        .matrix(block(layer, "ffn_gate.weight"), dims.feedForward(), dims.dim(), 1.5)
        .matrix(block(layer, "ffn_up.weight"), dims.feedForward(), dims.dim(), 1.5)
        .matrix(block(layer, "ffn_down.weight"), dims.dim(), dims.feedForward(), 1);
  }

  private static void headNorms(TinyModelWriter w, int layer, Dims dims) {
    w.norm(block(layer, "attn_q_norm.weight"), dims.headDim(), QK_GAIN)
        .norm(block(layer, "attn_k_norm.weight"), dims.headDim(), QK_GAIN);
  }

  private static void branchNorms(TinyModelWriter w, int layer, Dims dims) {
    w.norm(block(layer, "post_attention_norm.weight"), dims.dim(), 1)
        .norm(block(layer, "post_ffw_norm.weight"), dims.dim(), 2);
  }

  private static TinyModelWriter output(TinyModelWriter w, Dims dims, TinyVocabulary vocabulary) {
    return w.norm("output_norm.weight", dims.dim(), 1)
        .matrix("output.weight", vocabulary.size(), dims.dim(), 3);
  }

  private static TinyModelWriter tiedOutput(TinyModelWriter w, Dims dims) {
    return w.norm("output_norm.weight", dims.dim(), TIED_NORM);
  }

  private static String block(int layer, String name) {
    return "blk." + layer + "." + name;
  }

  private static TinyModelWriter scaling(TinyModelWriter w, String type, double factor) {
    return w.setting("rope.scaling.type", type)
        .setting("rope.scaling.factor", factor)
        .setting("rope.scaling.original_context_length", ORIGINAL_CONTEXT);
  }

  /** The short divisors hold up to the original context, the long ones beyond. */
  private static void longRope(TinyModelWriter w, int originalContext) {
    w.setting("rope.scaling.original_context_length", originalContext)
        .setting("rope.scaling.attn_factor", 1.19)
        .vector("rope_factors_short.weight", 1, 1.1f, 1.2f, 1.3f, 1.4f, 1.5f)
        .vector("rope_factors_long.weight", 1, 1.5f, 2.5f, 4, 6, 8);
  }

  /**
   * What the converter works out for factor 8, low 1, high 4: wavelengths over the original context
   * are divided by 8, those under its quarter by 1, those between by something between.
   */
  private static float[] llama3Divisors() {
    float[] divisors = new float[DIMS.headDim() / 2];
    for (int i = 0; i < divisors.length; i++) {
      double wavelength = 2 * Math.PI * StrictMath.pow(ROPE_BASE, 2.0 * i / DIMS.headDim());
      double smooth = Math.clamp((ORIGINAL_CONTEXT / wavelength - 1) / 3, 0, 1);
      divisors[i] = (float) (1 / ((1 - smooth) / 8 + smooth));
    }
    return divisors;
  }
}
