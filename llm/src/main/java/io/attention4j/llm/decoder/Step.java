package io.attention4j.llm.decoder;

import io.attention4j.engine.operator.LayerState;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.locks.Condition;

/**
 * The rows that one session puts through the decoder next: a token, or a chunk of a prompt. Each
 * session has one and reuses it.
 */
public final class Step {
  /** What comes out of a row. */
  public enum Output {
    /** Logits [vocabulary]. */
    LOGITS,
    /** The tokens with the highest logits. */
    CANDIDATES,
    /** The normalised hidden state [modelDim] that logits are computed from. */
    HIDDEN
  }

  /** Takes results on the thread that ran the step; must not throw or keep the memory. */
  @FunctionalInterface
  public interface RowSink {
    /** The F32 values of a row of the step, at a byte offset of host memory. */
    void accept(int row, MemorySegment values, long byteOffset);
  }

  /** Takes candidates under the same terms. */
  @FunctionalInterface
  public interface CandidateSink {
    /**
     * The highest logits of a row of the step and their tokens, {@code count} of each from {@code
     * at} on, the highest first and equal ones by token.
     */
    void accept(int row, int[] ids, float[] values, int at, int count);
  }

  final LayerState[] states;
  int[] tokens;
  int from;
  int rows;
  int position;
  boolean continued;
  int lookahead;
  Output output;
  int outputFrom;
  RowSink sink;
  int candidates;
  CandidateSink candidateSink;

  // The scheduler's, under its lock.
  Condition changed;
  boolean done;
  long pass = -1;
  Throwable failure;
  boolean lost;

  /**
   * Steps of one sequence.
   *
   * @param states one per layer
   */
  public Step(LayerState[] states) {
    this.states = states;
  }

  /**
   * Sets the rows: {@code tokens[from .. from + rows)} at consecutive positions. The array is not
   * copied.
   */
  public Step rows(int[] stepTokens, int first, int count, int firstPosition) {
    tokens = stepTokens;
    from = first;
    rows = count;
    position = firstPosition;
    return this;
  }

  /** Says whether the next step of this sequence brings more of the same prompt. */
  public Step continued(boolean moreFollows) {
    continued = moreFollows;
    return this;
  }

  /** Says how many tokens at the end of the prompt under way are a draft model's guesses. */
  public Step lookahead(int guessedTokens) {
    lookahead = guessedTokens;
    return this;
  }

  /** Sets what is wanted of the rows from {@code firstRow} on; pass the number of rows for none. */
  public Step output(Output wanted, int firstRow, RowSink target) {
    output = wanted;
    outputFrom = firstRow;
    sink = target;
    return this;
  }

  /**
   * Wants candidates of the rows from {@code firstRow} on.
   *
   * @param count how many, one that {@link Decoder#picks} takes
   */
  public Step candidates(int count, int firstRow, CandidateSink target) {
    output = Output.CANDIDATES;
    outputFrom = firstRow;
    candidates = count;
    candidateSink = target;
    return this;
  }

  /** Whether a failed step made the states forget everything; clears the mark. */
  public boolean takeLost() {
    boolean was = lost;
    lost = false;
    return was;
  }

  /** The sequence's state in each layer. */
  public LayerState[] states() {
    return states;
  }
}
