package io.attention4j.llm.architecture;

/** Weights of a decoder by role, with the names that most files give them. */
public enum Weight {
  /** [vocabulary, modelDim]. */
  TOKEN_EMBEDDING("token_embd", "model.embed_tokens"),
  /** [context, modelDim], learned positions. */
  POSITION_EMBEDDING("position_embd", ""),
  /** [modelDim], before the output. */
  FINAL_NORM("output_norm", "model.norm"),
  /** [vocabulary, modelDim]. */
  OUTPUT("output", "lm_head"),
  /** [modelDim], before attention. */
  ATTENTION_NORM("blk.%d.attn_norm", "model.layers.%d.input_layernorm"),
  /** [queryHeads * headDim, modelDim]. */
  QUERY("blk.%d.attn_q", "model.layers.%d.self_attn.q_proj"),
  /** [kvHeads * headDim, modelDim]. */
  KEY("blk.%d.attn_k", "model.layers.%d.self_attn.k_proj"),
  /** [kvHeads * valueDim, modelDim]. */
  VALUE("blk.%d.attn_v", "model.layers.%d.self_attn.v_proj"),
  /** Rows of query, key and value in one matrix. */
  QUERY_KEY_VALUE("blk.%d.attn_qkv", "model.layers.%d.self_attn.qkv_proj"),
  /** [headDim], over each query head. */
  QUERY_NORM("blk.%d.attn_q_norm", "model.layers.%d.self_attn.q_norm"),
  /** [headDim], over each key head. */
  KEY_NORM("blk.%d.attn_k_norm", "model.layers.%d.self_attn.k_norm"),
  /** [modelDim, queryHeads * valueDim]. */
  ATTENTION_OUTPUT("blk.%d.attn_output", "model.layers.%d.self_attn.o_proj"),
  /** [modelDim], of the result of attention. */
  POST_ATTENTION_NORM("blk.%d.post_attention_norm", "model.layers.%d.post_attention_layernorm"),
  /** [modelDim], before the feed-forward layer. */
  FEED_FORWARD_NORM("blk.%d.ffn_norm", "model.layers.%d.post_attention_layernorm"),
  /** [feedForwardDim, modelDim], goes through the activation. */
  GATE("blk.%d.ffn_gate", "model.layers.%d.mlp.gate_proj"),
  /** [feedForwardDim, modelDim]. */
  UP("blk.%d.ffn_up", "model.layers.%d.mlp.up_proj"),
  /** Rows of gate and up in one matrix. */
  GATE_UP("blk.%d.ffn_up", "model.layers.%d.mlp.gate_up_proj"),
  /** [modelDim, feedForwardDim]. */
  DOWN("blk.%d.ffn_down", "model.layers.%d.mlp.down_proj"),
  /** [modelDim], of the result of the feed-forward layer. */
  POST_FEED_FORWARD_NORM("blk.%d.post_ffw_norm", "model.layers.%d.post_feedforward_layernorm"),

  /** [modelDim], of the token embedding. */
  TOKEN_EMBEDDING_NORM("token_embd_norm"),
  /** RWKV: [modelDim], before the channel mix. */
  CHANNEL_MIX_NORM("blk.%d.attn_norm_2"),
  /** RWKV: [6, modelDim], how much of the token before the inputs of r, w, k, v, a and g take. */
  TIME_MIX_LERP("blk.%d.time_mix_lerp_fused"),
  /** RWKV: [modelDim, modelDim], receptance. */
  TIME_MIX_RECEPTANCE("blk.%d.time_mix_receptance"),
  /** RWKV: [modelDim, modelDim]. */
  TIME_MIX_KEY("blk.%d.time_mix_key"),
  /** RWKV: [modelDim, modelDim]. */
  TIME_MIX_VALUE("blk.%d.time_mix_value"),
  /** RWKV: [modelDim, modelDim]. */
  TIME_MIX_OUTPUT("blk.%d.time_mix_output"),
  /** RWKV: [modelDim], bias of the decay. */
  TIME_MIX_W0("blk.%d.time_mix_w0"),
  /** RWKV: [rank, modelDim], decay. */
  TIME_MIX_W1("blk.%d.time_mix_w1"),
  /** RWKV: [modelDim, rank]. */
  TIME_MIX_W2("blk.%d.time_mix_w2"),
  /** RWKV: [modelDim], bias of the in-context learning rate. */
  TIME_MIX_A0("blk.%d.time_mix_a0"),
  /** RWKV: [rank, modelDim], in-context learning rate. */
  TIME_MIX_A1("blk.%d.time_mix_a1"),
  /** RWKV: [modelDim, rank]. */
  TIME_MIX_A2("blk.%d.time_mix_a2"),
  /** RWKV: [modelDim], bias of the share of the first layer's values. */
  TIME_MIX_V0("blk.%d.time_mix_v0"),
  /** RWKV: [rank, modelDim], share of the first layer's values. */
  TIME_MIX_V1("blk.%d.time_mix_v1"),
  /** RWKV: [modelDim, rank]. */
  TIME_MIX_V2("blk.%d.time_mix_v2"),
  /** RWKV: [rank, modelDim], output gate. */
  TIME_MIX_G1("blk.%d.time_mix_g1"),
  /** RWKV: [modelDim, rank]. */
  TIME_MIX_G2("blk.%d.time_mix_g2"),
  /** RWKV: [modelDim], of the key that is removed. */
  TIME_MIX_K_K("blk.%d.time_mix_k_k"),
  /** RWKV: [modelDim], how far the learning rate scales the key. */
  TIME_MIX_K_A("blk.%d.time_mix_k_a"),
  /** RWKV: [heads, headDim], bonus of the token itself. */
  TIME_MIX_R_K("blk.%d.time_mix_r_k"),
  /** RWKV: [modelDim], over each head's output. */
  TIME_MIX_NORM("blk.%d.time_mix_ln"),
  /** RWKV: [modelDim], how much of the token before the channel mix takes. */
  CHANNEL_MIX_LERP("blk.%d.channel_mix_lerp_k"),
  /** RWKV: [feedForwardDim, modelDim]. */
  CHANNEL_MIX_KEY("blk.%d.channel_mix_key"),
  /** RWKV: [modelDim, feedForwardDim]. */
  CHANNEL_MIX_VALUE("blk.%d.channel_mix_value"),

  /** Mamba: rows of z, x, B, C and dt in one matrix. */
  SSM_IN("blk.%d.ssm_in"),
  /** Mamba: [channels, kernel], of x, B and C. */
  SSM_CONVOLUTION("blk.%d.ssm_conv1d"),
  /** Mamba: [heads], a bias only. */
  SSM_TIME_STEP("blk.%d.ssm_dt"),
  /** Mamba: [heads], negative. */
  SSM_A("blk.%d.ssm_a"),
  /** Mamba: [heads], feed-through. */
  SSM_D("blk.%d.ssm_d"),
  /** Mamba: [innerDim], over each group of the gated output. */
  SSM_NORM("blk.%d.ssm_norm"),
  /** Mamba: [modelDim, innerDim]. */
  SSM_OUT("blk.%d.ssm_out");

  private final String gguf;
  private final String huggingFace;

  Weight(String gguf, String huggingFace) {
    this.gguf = gguf;
    this.huggingFace = huggingFace;
  }

  /** Of architectures that are read from GGUF only. */
  Weight(String gguf) {
    this(gguf, "");
  }

  String name(Settings.Format format) {
    return format == Settings.Format.GGUF ? gguf : huggingFace;
  }
}
