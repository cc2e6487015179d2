package io.attention4j.llm;

/**
 * Memory that a model takes, in bytes.
 *
 * @param weightBytes weights; mapped from the file, so the system may drop and re-read them
 * @param packedBytes copies of weights in the layout that the kernels read fastest
 * @param kvCacheBytes keys and values of one session with a full context
 * @param kvFileBytes the part of them that lives in files
 * @param scratchBytes buffers of the forward pass, shared by all sessions
 * @param contextTokens the context that this is for
 */
public record MemoryEstimate(
    long weightBytes,
    long packedBytes,
    long kvCacheBytes,
    long kvFileBytes,
    long scratchBytes,
    int contextTokens) {
  /** All that is in memory, with one session. */
  public long totalBytes() {
    return weightBytes + packedBytes + kvCacheBytes - kvFileBytes + scratchBytes;
  }
}
