package io.attention4j.engine.attention;

import io.attention4j.engine.tensor.Tensor;
import java.util.Arrays;

/**
 * What a step fixes: which rows of q belong to which sequence, where they stand, and the data of
 * the masks and biases that the spec names. Ragged: sequence s owns rows [indptr[s], indptr[s+1]).
 * Reused from step to step; not thread-safe while being filled.
 */
public final class AttentionBatch {
  private int sequences;
  private int[] indptr = new int[2];
  private long[] firstPositions = new long[1];
  private long[] prefixLengths = new long[1];
  private boolean[] continued = new boolean[1];
  private int[] lookahead = new int[1];
  private int[][] documents = new int[1][];
  private Tensor maskBits;
  private Tensor bias;

  /** An empty batch. */
  public AttentionBatch() {}

  /** Forgets all sequences, masks and biases. */
  public void reset() {
    sequences = 0;
    Arrays.fill(documents, null);
    Arrays.fill(prefixLengths, 0);
    Arrays.fill(continued, false);
    Arrays.fill(lookahead, 0);
    maskBits = null;
    bias = null;
  }

  /**
   * Adds a sequence with this many query rows, the first at {@code firstPosition}; returns its
   * index. Bottom-right causal alignment is {@code firstPosition = keyLength - rows}, top-left is
   * 0. The position may be negative: rows before position 0 see no key.
   */
  public int add(int rows, long firstPosition) {
    if (rows < 0) {
      throw new IllegalArgumentException("a sequence cannot have " + rows + " rows");
    }
    if (sequences + 2 > indptr.length) {
      int capacity = 2 * (sequences + 1);
      indptr = Arrays.copyOf(indptr, capacity + 1);
      firstPositions = Arrays.copyOf(firstPositions, capacity);
      prefixLengths = Arrays.copyOf(prefixLengths, capacity);
      continued = Arrays.copyOf(continued, capacity);
      lookahead = Arrays.copyOf(lookahead, capacity);
      documents = Arrays.copyOf(documents, capacity);
    }
    indptr[sequences + 1] = Math.addExact(indptr[sequences], rows);
    firstPositions[sequences] = firstPosition;
    return sequences++;
  }

  /** Number of sequences. */
  public int sequences() {
    return sequences;
  }

  /** Rows of q over all sequences. */
  public int totalRows() {
    return sequences == 0 ? 0 : indptr[sequences];
  }

  /** First row of a sequence in q and out. */
  public int firstRow(int sequence) {
    return indptr[sequence];
  }

  /** Query rows of a sequence. */
  public int rows(int sequence) {
    return indptr[sequence + 1] - indptr[sequence];
  }

  /** Position of a sequence's first row. */
  public long firstPosition(int sequence) {
    return firstPositions[sequence];
  }

  /** Keys before this position are visible to every row under {@link Mask.Prefix}. */
  public long prefixLength(int sequence) {
    return prefixLengths[sequence];
  }

  /** Sets the prefix of a sequence. */
  public void prefixLength(int sequence, long length) {
    prefixLengths[sequence] = length;
  }

  /**
   * Whether a later step brings more rows of the same prompt, so that caches wait with dropping
   * tokens until the prompt is whole.
   */
  public boolean continued(int sequence) {
    return continued[sequence];
  }

  /** Says that a later step brings more rows of the same prompt. */
  public void continued(int sequence, boolean moreFollows) {
    continued[sequence] = moreFollows;
  }

  /**
   * Tokens at the end of the prompt under way that are a draft model's guesses of what will follow:
   * caches may look at their queries, and the sequence will go back to before the prompt's own last
   * token. The same in every step of a prompt.
   */
  public int lookahead(int sequence) {
    return lookahead[sequence];
  }

  /** Says how many tokens at the end of the prompt under way are guesses. */
  public void lookahead(int sequence, int guessedTokens) {
    lookahead[sequence] = guessedTokens;
  }

  /** Document of each position of the sequence for {@link Mask.Document}. Not a copy. */
  public int[] documents(int sequence) {
    return documents[sequence];
  }

  /** Sets the document of each position. */
  public void documents(int sequence, int[] documentOfPosition) {
    documents[sequence] = documentOfPosition;
  }

  /** The mask of {@link Mask.Bits}. */
  public Tensor maskBits() {
    return maskBits;
  }

  /** Sets the mask of {@link Mask.Bits}: I8, rank 4. */
  public void maskBits(Tensor bits) {
    maskBits = bits;
  }

  /** The bias of {@link ScoreModifier.AdditiveBias}. */
  public Tensor bias() {
    return bias;
  }

  /** Sets the bias of {@link ScoreModifier.AdditiveBias}: F32, rank 4. */
  public void bias(Tensor scoreBias) {
    bias = scoreBias;
  }
}
