package io.attention4j.kvcache.policy;

/**
 * The entries of a cache as a policy sees them: for each KV head the tokens it still holds, in an
 * order that is not always that of their positions. The newest tokens of a step stand last until
 * the next decision. Summaries are not among them.
 */
public interface KvEntries {
  /** KV heads. */
  int kvHeads();

  /** Tokens seen. */
  long length();

  /** Entries of a head. */
  int count(int kvHead);

  /** Position of an entry's token in the sequence. */
  long position(int kvHead, int entry);

  /** Reads an entry's key as the cache stores it (rotated, rounded): headDim elements. */
  void key(int kvHead, int entry, float[] target);

  /** Reads an entry's value: valueDim elements. */
  void value(int kvHead, int entry, float[] target);

  /** A number that the policy keeps with an entry; 0 for new ones. It moves with the entry. */
  float score(int kvHead, int entry);

  /** Sets the number that the policy keeps with an entry. */
  void score(int kvHead, int entry, float value);
}
