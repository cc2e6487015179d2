package io.attention4j.llm.sampling;

import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * A saved sampler: the state of its random numbers and the tokens that its penalties see.
 *
 * <p>As bytes, big-endian: 8 random state, 4 number of entries n, then n times 4 token and 4 count.
 *
 * @param randomState of SplitMix64
 * @param tokens [n], oldest first; with an unlimited window each token once, ascending
 * @param counts [n], how often each entry occurred, at least 1
 */
public record SamplerState(long randomState, int[] tokens, int[] counts) {
  private static final int HEADER_BYTES = Long.BYTES + Integer.BYTES;
  private static final int ENTRY_BYTES = 2 * Integer.BYTES;

  /** Copies the arrays and checks that they belong together. */
  public SamplerState {
    tokens = tokens.clone();
    counts = counts.clone();
    if (tokens.length != counts.length) {
      throw new IllegalArgumentException(
          "a sampler state has " + tokens.length + " tokens but " + counts.length + " counts");
    }
    for (int i = 0; i < tokens.length; i++) {
      if (tokens[i] < 0 || counts[i] < 1) {
        throw new IllegalArgumentException(
            "entry "
                + i
                + " of a sampler state is token "
                + tokens[i]
                + " with count "
                + counts[i]
                + "; tokens start at 0 and counts at 1");
      }
    }
  }

  /** A copy. */
  @Override
  public int[] tokens() {
    return tokens.clone();
  }

  /** A copy. */
  @Override
  public int[] counts() {
    return counts.clone();
  }

  /** This state as bytes. */
  public byte[] toBytes() {
    ByteBuffer out = ByteBuffer.allocate(HEADER_BYTES + ENTRY_BYTES * tokens.length);
    out.putLong(randomState).putInt(tokens.length);
    for (int i = 0; i < tokens.length; i++) {
      out.putInt(tokens[i]).putInt(counts[i]);
    }
    return out.array();
  }

  /**
   * Reads what {@link #toBytes} wrote.
   *
   * @throws IllegalArgumentException if the length is not the one that the bytes announce, or an
   *     entry is out of range
   */
  public static SamplerState fromBytes(byte[] bytes) {
    if (bytes.length < HEADER_BYTES) {
      throw new IllegalArgumentException(
          "a sampler state of "
              + bytes.length
              + " bytes is shorter than its header of "
              + HEADER_BYTES);
    }
    ByteBuffer in = ByteBuffer.wrap(bytes);
    long randomState = in.getLong();
    int entries = in.getInt();
    if (entries < 0 || bytes.length != HEADER_BYTES + (long) ENTRY_BYTES * entries) {
      throw new IllegalArgumentException(
          "a sampler state of "
              + bytes.length
              + " bytes announces "
              + entries
              + " entries of "
              + ENTRY_BYTES
              + " bytes; it is truncated or not a sampler state");
    }
    int[] tokens = new int[entries];
    int[] counts = new int[entries];
    for (int i = 0; i < entries; i++) {
      tokens[i] = in.getInt();
      counts[i] = in.getInt();
    }
    return new SamplerState(randomState, tokens, counts);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof SamplerState that
        && randomState == that.randomState
        && Arrays.equals(tokens, that.tokens)
        && Arrays.equals(counts, that.counts);
  }

  @Override
  public int hashCode() {
    return Long.hashCode(randomState) * 31 + Arrays.hashCode(tokens);
  }
}
