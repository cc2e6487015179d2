package io.attention4j.llm;

import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.decoder.Step;
import java.lang.foreign.MemorySegment;

/**
 * What a session knows of the token after its last one: the logits of all tokens, or those of the
 * highest where the step was asked for no more. Arrays are made when first needed, since kept
 * beginnings need none.
 */
final class LastRow {
  private final int vocabulary;
  private final Step.RowSink toLogits = this::takeLogits;
  private final Step.CandidateSink toCandidates = this::takeCandidates;
  private float[] logits;
  private boolean logitsValid;
  private int[] candidates;
  private float[] candidateLogits;

  /** 0 where the last step did not give any. */
  private int candidateCount;

  LastRow(int vocabulary) {
    this.vocabulary = vocabulary;
  }

  /**
   * Asks a step for candidates of the rows from {@code firstRow} on, or for logits with 0.
   *
   * @param wanted a number that the model picks, or 0
   */
  void want(Step step, int wanted, int firstRow) {
    if (wanted == 0) {
      step.output(Step.Output.LOGITS, firstRow, toLogits);
    } else {
      step.candidates(wanted, firstRow, toCandidates);
    }
  }

  /** The step that was asked has run. */
  void arrived(int wanted) {
    logitsValid = wanted == 0;
    candidateCount = wanted;
  }

  void clear() {
    logitsValid = false;
    candidateCount = 0;
  }

  /** Whether this many candidates, or with 0 logits, are at hand. */
  boolean has(int wanted) {
    return logitsValid || wanted > 0 && candidateCount >= wanted;
  }

  void copyLogits(float[] target) {
    System.arraycopy(logits, 0, target, 0, vocabulary);
  }

  /**
   * Puts the tokens with the highest logits into an array, the highest first, and their logits in
   * their places of a row whose other elements stay; false where only all logits help.
   */
  boolean copyCandidates(int[] best, float[] row) {
    if (logitsValid || candidateCount < best.length) {
      return false;
    }
    for (int i = 0; i < best.length; i++) {
      best[i] = candidates[i];
      row[candidates[i]] = candidateLogits[i];
    }
    // A row that is no softmax is described by all its logits.
    return Float.isFinite(candidateLogits[0]);
  }

  float logit(int token) {
    return logits[token];
  }

  void setLogits(float[] row) {
    System.arraycopy(row, 0, logitsRow(), 0, vocabulary);
    arrived(0);
  }

  void copyFrom(LastRow other) {
    if (other.logitsValid) {
      setLogits(other.logits);
    } else if (other.candidateCount > 0) {
      takeCandidates(0, other.candidates, other.candidateLogits, 0, other.candidateCount);
      arrived(other.candidateCount);
    }
  }

  private void takeLogits(int row, MemorySegment values, long byteOffset) {
    MemorySegment.copy(values, Tensor.FLOAT, byteOffset, logitsRow(), 0, vocabulary);
  }

  private void takeCandidates(int row, int[] ids, float[] values, int at, int count) {
    if (candidates == null || candidates.length < count) {
      candidates = new int[count];
      candidateLogits = new float[count];
    }
    System.arraycopy(ids, at, candidates, 0, count);
    System.arraycopy(values, at, candidateLogits, 0, count);
  }

  private float[] logitsRow() {
    if (logits == null) {
      logits = new float[vocabulary];
    }
    return logits;
  }
}
