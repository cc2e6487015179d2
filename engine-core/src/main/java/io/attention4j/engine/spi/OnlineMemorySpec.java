package io.attention4j.engine.spi;

import io.attention4j.engine.recurrent.memory.Memora;
import io.attention4j.engine.recurrent.memory.MemoryNetwork;
import io.attention4j.engine.recurrent.memory.Moneta;
import io.attention4j.engine.recurrent.memory.OnlineMemory;
import io.attention4j.engine.recurrent.memory.Titans;
import io.attention4j.engine.recurrent.memory.Yaad;

/**
 * Memories that learn while they read, one per head; see the package {@code recurrent.memory} for
 * their equations.
 *
 * @param heads heads with weights of their own
 * @param network what is trained
 * @param chunk tokens whose gradients are taken at the same weights, a parameter of the model
 * @param rule how it is trained
 */
public record OnlineMemorySpec(int heads, MemoryNetwork network, int chunk, Rule rule) {
  /** Loss, momentum and retention. */
  public enum Rule {
    /** Titans: squared loss, momentum, forgetting; gates of one number per head. */
    TITANS,
    /** Moneta with p = 3 and q = 4, as printed. */
    MONETA,
    /** Yaad with the threshold as printed. */
    YAAD,
    /** Memora: rows of the weights are distributions. */
    MEMORA
  }

  /** Checks the ranges. */
  public OnlineMemorySpec {
    if (heads < 1 || chunk < 1) {
      throw new IllegalArgumentException(
          "heads " + heads + " and chunk " + chunk + " of a memory must be at least 1");
    }
    if (rule != Rule.TITANS && network.depth() > 2) {
      throw new IllegalArgumentException(
          rule + " has gates per channel, for 1 or 2 matrices, not " + network.depth());
    }
    if (rule != Rule.TITANS && network.depth() == 2 && network.keyDim() != network.valueDim()) {
      throw new IllegalArgumentException(
          rule
              + " scales the columns of the first matrix by the value's gates, so a keyDim of "
              + network.keyDim()
              + " must be the valueDim "
              + network.valueDim());
    }
  }

  /** One head in float64: what a kernel computes. */
  public OnlineMemory memory() {
    return switch (rule) {
      case TITANS -> new Titans(network, chunk);
      case MONETA ->
          new Moneta(network, chunk, 3, 4, Moneta.MirrorMap.PRINTED, Moneta.ErrorSign.HARD);
      case YAAD -> new Yaad(network, chunk, Yaad.Outlier.SIGN);
      case MEMORA -> new Memora(network, chunk);
    };
  }

  /** Elements of a head's retention and step: 1 for Titans, else one per channel of the value. */
  public int gateWidth() {
    return rule == Rule.TITANS ? 1 : network.valueDim();
  }

  /** Whether there is a gate: the momentum of Titans, the threshold of Yaad. */
  public boolean gated() {
    return rule == Rule.TITANS || rule == Rule.YAAD;
  }
}
