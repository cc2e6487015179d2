package io.attention4j.engine.recurrent.memory;

import io.attention4j.engine.recurrent.Rows;
import java.util.Arrays;

/**
 * One head of a memory that learns while it reads: each token takes one step of gradient descent on
 * how well the memory recalls the token's value by its key, then asks the memory its query.
 *
 * <p>Within a chunk all gradients are taken at the weights of the chunk's start, so the size of a
 * chunk is a parameter of the model, not of its execution: 1 is the plain recurrence. {@link
 * #recurrent} and {@link #chunked} give the same numbers, and so does any way of cutting a sequence
 * into calls, since the state knows where in a chunk it is. Causal: token t reads the weights after
 * its own update. One thread at a time per state.
 */
public abstract sealed class OnlineMemory permits Titans, MirasMemory {
  private final MemoryNetwork network;
  private final int chunk;

  OnlineMemory(MemoryNetwork network, int chunk) {
    if (chunk < 1) {
      throw new IllegalArgumentException("a chunk of " + chunk + " tokens; it needs at least 1");
    }
    this.network = network;
    this.chunk = chunk;
  }

  /** The function that is trained. */
  public final MemoryNetwork network() {
    return network;
  }

  /** Tokens per chunk. */
  public final int chunk() {
    return chunk;
  }

  /**
   * The state before the first token.
   *
   * @param initial weights of the network, each matrix [out, in], W_1 first; copied
   * @throws IllegalArgumentException if they are not as many as the network has, not finite, or
   *     such that the operator cannot start from them
   */
  public final MemoryState newState(double[] initial) {
    if (initial.length != network.parameters()) {
      throw new IllegalArgumentException(
          "a memory of widths "
              + network.widths()
              + " has "
              + network.parameters()
              + " weights, not "
              + initial.length);
    }
    if (!Arrays.stream(initial).allMatch(Double::isFinite)) {
      throw new IllegalArgumentException("the initial weights of a memory must be finite");
    }
    return start(initial.clone());
  }

  /**
   * A state from the arrays of another one, in the order of {@link MemoryState#arrays}; copied.
   *
   * @param inChunk tokens since the chunk's start
   */
  public final MemoryState restore(
      int inChunk, double[] weights, double[] trace, double[] anchor, double[] anchorTrace) {
    MemoryState state = new MemoryState(weights.clone(), trace.clone());
    System.arraycopy(anchor, 0, state.anchor, 0, anchor.length);
    System.arraycopy(anchorTrace, 0, state.anchorTrace, 0, anchorTrace.length);
    state.inChunk = inChunk;
    return state;
  }

  abstract MemoryState start(double[] initial);

  /**
   * Learns the tokens one after the other and answers each query.
   *
   * @param state before the first token; after the last one on return
   * @return [tokens, valueDim]
   * @throws IllegalArgumentException if the inputs do not fit the network
   */
  public final Rows recurrent(MemoryInputs in, MemoryState state) {
    requireFits(in);
    double[] y = new double[in.tokens() * network.valueDim()];
    for (int t = 0; t < in.tokens(); t++) {
      if (state.inChunk == 0) {
        state.startChunk();
      }
      learn(in, t, state);
      answer(state.weights, in.q(), t, y);
      state.inChunk = (state.inChunk + 1) % chunk;
    }
    return new Rows(y, network.valueDim());
  }

  /** Takes token t into the state, which knows how many tokens of its chunk came before. */
  abstract void learn(MemoryInputs in, int t, MemoryState state);

  /**
   * The same in closed form: every token's weights as a sum over the chunk's gradients, none of
   * which waits for another. Sums of decays are built from their factors, never as quotients.
   *
   * @param state before the first token; after the last one on return
   * @return [tokens, valueDim]
   * @throws IllegalArgumentException if the inputs do not fit the network
   */
  public final Rows chunked(MemoryInputs in, MemoryState state) {
    requireFits(in);
    double[] y = new double[in.tokens() * network.valueDim()];
    int from = 0;
    while (from < in.tokens()) {
      if (state.inChunk == 0) {
        state.startChunk();
      }
      int to = from + Math.min(chunk - state.inChunk, in.tokens() - from);
      learn(in, from, to, state, y);
      from = to;
    }
    return new Rows(y, network.valueDim());
  }

  /** Takes tokens of one chunk into the state, answers them and counts them. */
  abstract void learn(MemoryInputs in, int from, int to, MemoryState state, double[] y);

  /** Asks without learning; [tokens, valueDim]. */
  public final Rows read(Rows q, MemoryState state) {
    double[] y = new double[q.tokens() * network.valueDim()];
    for (int t = 0; t < q.tokens(); t++) {
      answer(state.weights, q, t, y);
    }
    return new Rows(y, network.valueDim());
  }

  /** Writes M(q_t) into row t of y. */
  final void answer(double[] weights, Rows q, int t, double[] y) {
    double[] answer = network.read(weights, row(q, t));
    System.arraycopy(answer, 0, y, t * answer.length, answer.length);
  }

  /** M(k_t) - v_t at these weights. */
  final double[] error(double[] weights, MemoryInputs in, int t) {
    double[] error = network.read(weights, row(in.k(), t));
    for (int i = 0; i < error.length; i++) {
      error[i] -= in.v().at(t, i);
    }
    return error;
  }

  /** Row t, copied. */
  static double[] row(Rows rows, int t) {
    return Arrays.copyOfRange(rows.values(), t * rows.width(), (t + 1) * rows.width());
  }

  /** Whether retention and step may be one per channel, and whether there is a gate. */
  abstract void requireGates(MemoryInputs in);

  private void requireFits(MemoryInputs in) {
    if (in.k().width() != network.keyDim() || in.v().width() != network.valueDim()) {
      throw new IllegalArgumentException(
          "keys "
              + in.k()
              + " and values "
              + in.v()
              + " do not fit a memory of widths "
              + network.widths());
    }
    requireGates(in);
  }

  static void requireWidth(String name, Rows rows, int... widths) {
    if (Arrays.stream(widths).noneMatch(width -> width == rows.width())) {
      throw new IllegalArgumentException(
          name + " is " + rows + " but must be as wide as one of " + Arrays.toString(widths));
    }
  }

  static void requireGate(String operator, String name, MemoryInputs in, boolean wanted) {
    if ((in.gate() != null) != wanted) {
      throw new IllegalArgumentException(
          operator + (wanted ? " needs a gate, its " + name : " has no gate; leave it null"));
    }
  }
}
