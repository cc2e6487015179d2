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
  POST_FEED_FORWARD_NORM("blk.%d.post_ffw_norm", "model.layers.%d.post_feedforward_layernorm");

  private final String gguf;
  private final String huggingFace;

  Weight(String gguf, String huggingFace) {
    this.gguf = gguf;
    this.huggingFace = huggingFace;
  }

  String name(Settings.Format format) {
    return format == Settings.Format.GGUF ? gguf : huggingFace;
  }
}
