package io.attention4j.benchmarks.peers;

import ai.djl.engine.Engine;
import io.attention4j.benchmarks.peer.PeerLibrary;
import java.util.List;

/** libtorch, CPU, through DJL. */
public final class LibTorch implements PeerLibrary {
  static final String ENGINE = "PyTorch";

  /** For ServiceLoader. */
  public LibTorch() {}

  @Override
  public Peer start(int threads) {
    // The engine reads this once, when it starts.
    System.setProperty("ai.djl.pytorch.num_threads", Integer.toString(threads));
    System.setProperty("ai.djl.pytorch.num_interop_threads", "1");
    System.setProperty("ai.djl.offline", "true"); // all it needs is on the class path
    return new Peer(
        "libtorch " + Engine.getEngine(ENGINE).getVersion(), List.of(new LibTorchAttention()));
  }
}
