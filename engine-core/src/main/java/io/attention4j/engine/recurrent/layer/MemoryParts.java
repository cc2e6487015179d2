package io.attention4j.engine.recurrent.layer;

import io.attention4j.engine.recurrent.memory.MemoryState;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Memories, one per head, behind some arrays of the layer, as one state. */
final class MemoryParts extends SequenceState {
  private final MemoryState[] heads;

  MemoryParts(MemoryState[] heads, double[]... arrays) {
    super(joined(heads, arrays));
    this.heads = heads;
  }

  private static double[][] joined(MemoryState[] heads, double[][] arrays) {
    List<double[]> all = new ArrayList<>(Arrays.asList(arrays));
    for (MemoryState head : heads) {
      all.addAll(head.arrays());
    }
    return all.toArray(double[][]::new);
  }

  /** The memory of a head, which holds the arrays of this state; the place follows from tokens. */
  MemoryState head(int head, int inChunk) {
    heads[head].inChunk(inChunk);
    return heads[head];
  }
}
