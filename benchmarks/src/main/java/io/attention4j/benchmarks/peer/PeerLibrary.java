package io.attention4j.benchmarks.peer;

import java.util.ArrayList;
import java.util.List;
import java.util.ServiceLoader;

/** Another engine. Implementations are found by {@link ServiceLoader}. */
public interface PeerLibrary {
  /** Name and version, for the header of a report. */
  String version();

  /** Its attention kernels. */
  List<AttentionPeer> attention();

  /** The engines on the class path: none without the Maven profile peers. */
  static List<PeerLibrary> all() {
    List<PeerLibrary> found = new ArrayList<>();
    ServiceLoader.load(PeerLibrary.class).forEach(found::add);
    return found;
  }
}
