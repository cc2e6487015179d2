package io.attention4j.llm.architecture;

import java.util.List;

/**
 * Settings that model files carry, under the names that each format gives them. A Hugging Face name
 * with dots is a path into nested objects; where there are several, the first that is present
 * counts.
 */
public enum Setting {
  /** Tokens of the longest context the model was trained for. */
  CONTEXT("context_length", "max_position_embeddings", "n_positions", "n_ctx"),
  /** Elements of the hidden state. */
  MODEL_DIM("embedding_length", "hidden_size", "n_embd"),
  /** Transformer blocks. */
  LAYERS("block_count", "num_hidden_layers", "n_layer"),
  /** Query heads per layer. */
  QUERY_HEADS("attention.head_count", "num_attention_heads", "n_head"),
  /** KV heads per layer. */
  KV_HEADS("attention.head_count_kv", "num_key_value_heads"),
  /** Elements of a query or key head. */
  HEAD_DIM("attention.key_length", "head_dim"),
  /** Elements of a value head. */
  VALUE_DIM("attention.value_length", "v_head_dim"),
  /** Elements of the feed-forward layer. */
  FEED_FORWARD_DIM("feed_forward_length", "intermediate_size", "n_inner"),
  /** Epsilon of RMS norms. */
  RMS_EPSILON("attention.layer_norm_rms_epsilon", "rms_norm_eps"),
  /** Epsilon of layer norms. */
  LAYER_NORM_EPSILON("attention.layer_norm_epsilon", "layer_norm_epsilon"),
  /** Rotated elements of a head. */
  ROTARY_DIM("rope.dimension_count", ""),
  /** Rotated part of a head, 0 to 1. */
  ROTARY_FACTOR("", "partial_rotary_factor", "rope_parameters.partial_rotary_factor"),
  /** Base of the rotation's frequencies. */
  ROPE_BASE(
      "rope.freq_base",
      "rope_theta",
      "rope_parameters.rope_theta",
      "rope_parameters.full_attention.rope_theta"),
  /** Base in sliding-window layers. */
  ROPE_LOCAL_BASE(
      "rope.freq_base_swa", "rope_local_base_freq", "rope_parameters.sliding_attention.rope_theta"),
  /** Kind of rope scaling. */
  ROPE_SCALING(
      "rope.scaling.type",
      "rope_scaling.rope_type",
      "rope_scaling.type",
      "rope_parameters.rope_type",
      "rope_parameters.full_attention.rope_type"),
  /** By how much the context was stretched. */
  ROPE_FACTOR(
      "rope.scaling.factor",
      "rope_scaling.factor",
      "rope_parameters.factor",
      "rope_parameters.full_attention.factor"),
  /** Context before it was stretched, in tokens. */
  ROPE_ORIGINAL_CONTEXT(
      "rope.scaling.original_context_length",
      "rope_scaling.original_max_position_embeddings",
      "rope_parameters.original_max_position_embeddings",
      "original_max_position_embeddings"),
  /** Factor of the rotated queries and keys. */
  ROPE_ATTENTION_FACTOR(
      "rope.scaling.attn_factor",
      "rope_scaling.attention_factor",
      "rope_parameters.attention_factor"),
  /** llama3 scaling: factor of the longest wavelengths. */
  ROPE_LOW_FREQUENCY("", "rope_scaling.low_freq_factor", "rope_parameters.low_freq_factor"),
  /** llama3 scaling: factor of the shortest wavelengths. */
  ROPE_HIGH_FREQUENCY("", "rope_scaling.high_freq_factor", "rope_parameters.high_freq_factor"),
  /** YaRN: rotations over the original context above which nothing is scaled. */
  YARN_BETA_FAST(
      "rope.scaling.yarn_beta_fast", "rope_scaling.beta_fast", "rope_parameters.beta_fast"),
  /** YaRN: rotations over the original context below which all is scaled. */
  YARN_BETA_SLOW(
      "rope.scaling.yarn_beta_slow", "rope_scaling.beta_slow", "rope_parameters.beta_slow"),
  /** YaRN: whether the ramp starts and ends at whole dimensions. */
  YARN_TRUNCATE("", "rope_scaling.truncate", "rope_parameters.truncate"),
  /** LongRoPE: divisors of the frequencies up to the original context. */
  LONGROPE_SHORT("", "rope_scaling.short_factor", "rope_parameters.short_factor"),
  /** LongRoPE: divisors beyond it. */
  LONGROPE_LONG("", "rope_scaling.long_factor", "rope_parameters.long_factor"),
  /** Tokens of a sliding window. */
  WINDOW("attention.sliding_window", "sliding_window"),
  /** Every n-th layer sees everything, the others a window. */
  WINDOW_PATTERN("", "sliding_window_pattern"),
  /** Whether the window is in force. */
  WINDOW_IN_USE("", "use_sliding_window"),
  /** First layer with a window. */
  WINDOW_FIRST_LAYER("", "max_window_layers"),
  /** Kind of each layer: "sliding_attention" or "full_attention". */
  LAYER_TYPES("", "layer_types"),
  /** Soft cap of attention scores. */
  ATTENTION_SOFT_CAP("attn_logit_softcapping", "attn_logit_softcapping"),
  /** Soft cap of the logits. */
  FINAL_SOFT_CAP("final_logit_softcapping", "final_logit_softcapping"),
  /** The attention scale is one over the root of this. */
  QUERY_SCALAR("", "query_pre_attn_scalar"),
  /** Whether the output matrix is the token embedding. */
  TIED_OUTPUT("", "tie_word_embeddings"),
  /** Non-linearity of the feed-forward layer. */
  ACTIVATION("", "hidden_activation", "hidden_act", "activation_function"),
  /** Experts of a mixture. */
  EXPERTS("expert_count", "num_local_experts", "num_experts"),
  /** RWKV: elements of a head. */
  WKV_HEAD_DIM("wkv.head_size"),
  /** Mamba: taps of the convolution. */
  SSM_TAPS("ssm.conv_kernel"),
  /** Mamba: elements of all heads together. */
  SSM_INNER_DIM("ssm.inner_size"),
  /** Mamba: rows of a head's state. */
  SSM_STATE_DIM("ssm.state_size"),
  /** Mamba-2: heads. */
  SSM_HEADS("ssm.time_step_rank"),
  /** Mamba-2: groups of heads that share B and C. */
  SSM_GROUPS("ssm.group_count");

  private final String gguf;
  private final List<String> huggingFace;

  Setting(String gguf, String... huggingFace) {
    this.gguf = gguf;
    this.huggingFace = List.of(huggingFace);
  }

  /** Key in GGUF metadata without the architecture's prefix; empty if GGUF has none. */
  public String gguf() {
    return gguf;
  }

  /** Paths in config.json, the preferred first. */
  public List<String> huggingFace() {
    return huggingFace;
  }
}
