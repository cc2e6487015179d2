package io.attention4j.benchmarks.peers;

import ai.onnxruntime.OrtEnvironment;
import io.attention4j.benchmarks.peer.OnnxAttentionModel.Operator;
import io.attention4j.benchmarks.peer.PeerLibrary;
import java.util.List;

/** ONNX Runtime, CPU. */
public final class OnnxRuntime implements PeerLibrary {
  /** For ServiceLoader. */
  public OnnxRuntime() {}

  @Override
  public Peer start(int threads) {
    return new Peer(
        "ONNX Runtime " + OrtEnvironment.getEnvironment().getVersion(),
        List.of(
            new OnnxRuntimeAttention(
                "ORT MultiHeadAttention", Operator.MULTI_HEAD_ATTENTION, threads),
            new OnnxRuntimeAttention("ORT Attention-23", Operator.ATTENTION_23, threads)));
  }
}
