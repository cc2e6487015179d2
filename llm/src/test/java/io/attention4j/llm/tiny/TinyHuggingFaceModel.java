package io.attention4j.llm.tiny;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Writes tiny models as folders, under the names and in the layout of transformers. */
public final class TinyHuggingFaceModel {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Map<String, String> NAMES = new LinkedHashMap<>();

  static {
    NAMES.put("token_embd", "model.embed_tokens");
    NAMES.put("output_norm", "model.norm");
    NAMES.put("attn_norm", "input_layernorm");
    NAMES.put("attn_q_norm", "self_attn.q_norm");
    NAMES.put("attn_k_norm", "self_attn.k_norm");
    NAMES.put("attn_qkv", "self_attn.qkv_proj");
    NAMES.put("attn_q", "self_attn.q_proj");
    NAMES.put("attn_k", "self_attn.k_proj");
    NAMES.put("attn_v", "self_attn.v_proj");
    NAMES.put("attn_output", "self_attn.o_proj");
    NAMES.put("post_attention_norm", "post_attention_layernorm");
    NAMES.put("post_ffw_norm", "post_feedforward_layernorm");
    NAMES.put("ffn_norm", "post_attention_layernorm");
    NAMES.put("ffn_gate", "mlp.gate_proj");
    NAMES.put("ffn_up", "mlp.up_proj");
    NAMES.put("ffn_down", "mlp.down_proj");
    NAMES.put("output", "lm_head");
  }

  private static final Map<String, String> GPT2_NAMES =
      Map.ofEntries(
          Map.entry("token_embd", "transformer.wte"),
          Map.entry("position_embd", "transformer.wpe"),
          Map.entry("output_norm", "transformer.ln_f"),
          Map.entry("attn_norm", "ln_1"),
          Map.entry("attn_qkv", "attn.c_attn"),
          Map.entry("attn_output", "attn.c_proj"),
          Map.entry("ffn_norm", "ln_2"),
          Map.entry("ffn_up", "mlp.c_fc"),
          Map.entry("ffn_down", "mlp.c_proj"));

  private TinyHuggingFaceModel() {}

  public static Path write(TinySpec spec, Path folder) throws IOException {
    Files.createDirectories(folder);
    JSON.writeValue(folder.resolve("config.json").toFile(), config(spec));
    JSON.writeValue(folder.resolve("tokenizer.json").toFile(), tokenizer());
    Map<String, TinyWeights.Matrix> tensors = new LinkedHashMap<>();
    TinyWeights.of(spec).forEach((name, m) -> tensors.put(name(spec, name), stored(spec, name, m)));
    if (spec.isGpt2()) { // the causal mask, which old exporters stored
      int context = TinySpec.CONTEXT;
      tensors.put(
          "transformer.h.0.attn.bias",
          new TinyWeights.Matrix(context, context, new float[context * context]));
    }
    writeSafetensors(tensors, folder.resolve("model.safetensors"));
    return folder;
  }

  private static String name(TinySpec spec, String gguf) {
    int dot = gguf.lastIndexOf('.');
    String suffix = gguf.substring(dot);
    String[] parts = gguf.substring(0, dot).split("\\.");
    String role = parts[parts.length - 1];
    String name = (spec.isGpt2() ? GPT2_NAMES : NAMES).get(role);
    if (spec.isGemma() && role.equals("ffn_norm")) {
      name = "pre_feedforward_layernorm";
    } else if (spec.isPhi3() && role.equals("ffn_up")) {
      name = "mlp.gate_up_proj";
    }
    if (parts.length == 1) {
      return name + suffix;
    }
    String layers = spec.isGpt2() ? "transformer.h." : "model.layers.";
    return layers + parts[1] + "." + name + suffix;
  }

  /** GPT-2's linear layers are [inputs, outputs]; its embeddings are not. */
  private static TinyWeights.Matrix stored(TinySpec spec, String name, TinyWeights.Matrix m) {
    if (!spec.isGpt2() || m.rows() == 0 || name.endsWith("embd.weight")) {
      return m;
    }
    float[] values = new float[m.values().length];
    for (int row = 0; row < m.rows(); row++) {
      for (int column = 0; column < m.columns(); column++) {
        values[column * m.rows() + row] = m.values()[row * m.columns() + column];
      }
    }
    return new TinyWeights.Matrix(m.columns(), m.rows(), values);
  }

  private static ObjectNode config(TinySpec spec) {
    ObjectNode config = JSON.createObjectNode();
    if (spec.isGpt2()) {
      return config
          .put("model_type", "gpt2")
          .put("n_embd", TinySpec.DIM)
          .put("n_layer", spec.layers())
          .put("n_head", TinySpec.HEADS)
          .put("n_inner", TinySpec.FEED_FORWARD)
          .put("n_positions", TinySpec.CONTEXT)
          .put("layer_norm_epsilon", TinySpec.EPSILON)
          .put("activation_function", "gelu_new");
    }
    boolean gemma3 = spec.architecture().equals("gemma3");
    config
        .put("model_type", gemma3 ? "gemma3_text" : spec.architecture())
        .put("hidden_size", TinySpec.DIM)
        .put("num_hidden_layers", spec.layers())
        .put("num_attention_heads", TinySpec.HEADS)
        .put("num_key_value_heads", spec.kvHeads())
        .put("head_dim", spec.headDim())
        .put("intermediate_size", TinySpec.FEED_FORWARD)
        .put("max_position_embeddings", TinySpec.CONTEXT)
        .put("rms_norm_eps", TinySpec.EPSILON)
        .put("rope_theta", TinySpec.BASE)
        .put("tie_word_embeddings", !spec.untied())
        .put("hidden_act", spec.isGemma() ? "gelu_pytorch_tanh" : "silu");
    if (spec.isGemma()) {
      config.put("sliding_window", spec.window()).put("query_pre_attn_scalar", spec.headDim());
    }
    if (spec.architecture().equals("gemma2")) {
      config.put("attn_logit_softcapping", 50.0).put("final_logit_softcapping", 30.0);
    }
    if (gemma3) {
      config.put("rope_local_base_freq", TinySpec.BASE).put("sliding_window_pattern", 6);
    }
    if (spec.isPhi3()) {
      config.put("partial_rotary_factor", (double) spec.rotaryDim() / spec.headDim());
      config.put("original_max_position_embeddings", TinySpec.ORIGINAL_CONTEXT);
    }
    TinyRope.config(spec, config);
    return config;
  }

  private static ObjectNode tokenizer() {
    ObjectNode tokenizer = JSON.createObjectNode().put("version", "1.0");
    ObjectNode byteLevel =
        JSON.createObjectNode()
            .put("type", "ByteLevel")
            .put("add_prefix_space", false)
            .put("use_regex", true)
            .put("trim_offsets", true);
    tokenizer.set("pre_tokenizer", byteLevel);
    tokenizer.set("decoder", byteLevel.deepCopy());
    ObjectNode model = tokenizer.putObject("model").put("type", "BPE");
    ObjectNode vocabulary = model.putObject("vocab");
    List<String> tokens = TinyVocabulary.tokens();
    for (int id = 0; id < TinyVocabulary.BOS; id++) {
      vocabulary.put(tokens.get(id), id);
    }
    ArrayNode merges = model.putArray("merges");
    TinyVocabulary.MERGES.forEach(merges::add);
    ArrayNode added = tokenizer.putArray("added_tokens");
    for (int id = TinyVocabulary.BOS; id <= TinyVocabulary.EOS; id++) {
      added
          .addObject()
          .put("id", id)
          .put("content", tokens.get(id))
          .put("single_word", false)
          .put("lstrip", false)
          .put("rstrip", false)
          .put("normalized", false)
          .put("special", true);
    }
    return tokenizer;
  }

  private static void writeSafetensors(Map<String, TinyWeights.Matrix> tensors, Path file)
      throws IOException {
    ObjectNode header = JSON.createObjectNode();
    int offset = 0;
    for (Map.Entry<String, TinyWeights.Matrix> tensor : tensors.entrySet()) {
      TinyWeights.Matrix m = tensor.getValue();
      ObjectNode entry = header.putObject(tensor.getKey()).put("dtype", "F32");
      ArrayNode shape = entry.putArray("shape");
      if (m.rows() > 0) {
        shape.add(m.rows());
      }
      shape.add(m.columns());
      int end = offset + m.values().length * Float.BYTES;
      entry.putArray("data_offsets").add(offset).add(end);
      offset = end;
    }
    byte[] json = header.toString().getBytes(StandardCharsets.UTF_8);
    ByteBuffer data =
        ByteBuffer.allocate(Long.BYTES + json.length + offset).order(ByteOrder.LITTLE_ENDIAN);
    data.putLong(json.length).put(json);
    for (TinyWeights.Matrix m : tensors.values()) {
      for (float value : m.values()) {
        data.putFloat(value);
      }
    }
    try (OutputStream out = Files.newOutputStream(file)) {
      out.write(data.array());
    }
  }
}
