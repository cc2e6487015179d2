package io.attention4j.engine.recurrent.layer;

import io.attention4j.engine.recurrent.Rows;
import java.util.Arrays;

/**
 * One layer of a causal sequence model, without the norm before it and the residual around it.
 * Layers hold weights and no state and may be shared by threads; a state belongs to one sequence
 * and one layer.
 */
public interface SequenceLayer {
  /** Elements of a hidden state. */
  int width();

  /** The state of an empty sequence. */
  SequenceState newState();

  /**
   * Takes in the next tokens of a sequence and computes their outputs; the same numbers however a
   * sequence is cut into calls.
   *
   * @param hidden [tokens, width]
   * @param embeddings what the first layer of the stack was given for the same tokens, [tokens,
   *     width]; most layers do not look at it
   * @param state of the tokens before; of all tokens on return
   * @return [tokens, width]
   * @throws IllegalArgumentException if the shapes do not fit; names both
   */
  Rows run(Rows hidden, Rows embeddings, SequenceState state);

  /**
   * Lengths of a state's arrays after so many tokens, by which a saved one is checked; those of an
   * empty sequence where a state does not grow.
   */
  default long[] lengths(long tokens) {
    return Arrays.stream(newState().values()).mapToLong(part -> part.length).toArray();
  }
}
