package io.attention4j.benchmarks.peer;

import java.util.ArrayList;
import java.util.List;
import java.util.ServiceLoader;

/** Another engine. Implementations are found by {@link ServiceLoader}. */
public interface PeerLibrary {
  /**
   * A started engine.
   *
   * @param version name and version, for the header of a report
   * @param attention its attention kernels
   */
  record Peer(String version, List<AttentionPeer> attention) {}

  /** Starts the engine with this many compute threads, for the rest of this JVM. */
  Peer start(int threads);

  /** Starts the engines on the class path: none without the Maven profile peers. */
  static List<Peer> startAll(int threads) {
    List<Peer> started = new ArrayList<>();
    ServiceLoader.load(PeerLibrary.class).forEach(library -> started.add(library.start(threads)));
    return started;
  }
}
