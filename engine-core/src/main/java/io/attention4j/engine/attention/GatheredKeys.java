package io.attention4j.engine.attention;

/**
 * Gathered selection: group g makes some query rows of one (sequence, query head) attend to a list
 * of keys. A key that was drawn twice may stand twice, each entry with its own bias (the log of its
 * weight). The spec's mask still applies, by positions. A (row, query head) may be in one group
 * only; rows in no group are rows without a visible key. The arrays are not copied.
 *
 * @param sequence sequence of each group
 * @param queryHead query head of each group
 * @param rowIndptr start of each group's rows, length groups + 1
 * @param rowIndices rows, counted inside the sequence
 * @param keyIndptr start of each group's keys, length groups + 1
 * @param keyIndices key slots, counted inside the (sequence, KV head)
 * @param entryBias added to the score of each entry of keyIndices, or null
 */
public record GatheredKeys(
    int[] sequence,
    int[] queryHead,
    int[] rowIndptr,
    int[] rowIndices,
    int[] keyIndptr,
    int[] keyIndices,
    float[] entryBias) {

  /** Checks the lengths. */
  public GatheredKeys {
    int groups = sequence.length;
    if (queryHead.length != groups
        || rowIndptr.length != groups + 1
        || keyIndptr.length != groups + 1) {
      throw new IllegalArgumentException(
          groups
              + " groups need as many heads and "
              + (groups + 1)
              + " row and key starts, not "
              + queryHead.length
              + ", "
              + rowIndptr.length
              + " and "
              + keyIndptr.length);
    }
    if (rowIndptr[groups] > rowIndices.length || keyIndptr[groups] > keyIndices.length) {
      throw new IllegalArgumentException("indptr points past the end of the row or key indices");
    }
    if (entryBias != null && entryBias.length < keyIndptr[groups]) {
      throw new IllegalArgumentException(
          entryBias.length + " biases do not cover " + keyIndptr[groups] + " key entries");
    }
  }

  /** Number of groups. */
  public int groups() {
    return sequence.length;
  }
}
