package io.attention4j.benchmarks.peers;

import ai.djl.engine.Engine;
import io.attention4j.benchmarks.peer.AttentionPeer;
import io.attention4j.benchmarks.peer.PeerLibrary;
import java.util.List;

/** libtorch, CPU, through DJL. */
public final class LibTorch implements PeerLibrary {
  static final String ENGINE = "PyTorch";

  /** For ServiceLoader. */
  public LibTorch() {}

  @Override
  public String version() {
    return "libtorch " + Engine.getEngine(ENGINE).getVersion();
  }

  @Override
  public List<AttentionPeer> attention() {
    return List.of(new LibTorchAttention());
  }
}
