package io.attention4j.benchmarks.peers;

import ai.onnxruntime.OrtEnvironment;
import io.attention4j.benchmarks.peer.AttentionPeer;
import io.attention4j.benchmarks.peer.OnnxAttentionModel;
import io.attention4j.benchmarks.peer.PeerLibrary;
import java.util.List;

/** ONNX Runtime, CPU. */
public final class OnnxRuntime implements PeerLibrary {
  /** For ServiceLoader. */
  public OnnxRuntime() {}

  @Override
  public String version() {
    return "ONNX Runtime " + OrtEnvironment.getEnvironment().getVersion();
  }

  @Override
  public List<AttentionPeer> attention() {
    return List.of(
        new OnnxRuntimeAttention(
            "ORT MultiHeadAttention", OnnxAttentionModel.Operator.MULTI_HEAD_ATTENTION),
        new OnnxRuntimeAttention("ORT Attention-23", OnnxAttentionModel.Operator.ATTENTION_23));
  }
}
