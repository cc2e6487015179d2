package io.attention4j.llm;

/**
 * How long a generation took, by {@link System#nanoTime}, waiting for other sessions included.
 *
 * @param promptTokens tokens of the prompt
 * @param reusedTokens those that the session had already computed
 * @param prefillNanos computing the others
 * @param generatedTokens tokens generated
 * @param firstTokenNanos from the start to the first token
 * @param decodeNanos from the first token to the last
 */
public record Timings(
    int promptTokens,
    int reusedTokens,
    long prefillNanos,
    int generatedTokens,
    long firstTokenNanos,
    long decodeNanos) {
  private static final double NANOS_PER_SECOND = 1e9;

  /** Prompt tokens computed per second; 0 if there were none. */
  public double prefillTokensPerSecond() {
    return rate(promptTokens - reusedTokens, prefillNanos);
  }

  /** Tokens per second after the first; 0 if there was none. */
  public double decodeTokensPerSecond() {
    return rate(generatedTokens - 1, decodeNanos);
  }

  private static double rate(int tokens, long nanos) {
    return tokens <= 0 || nanos <= 0 ? 0 : tokens * NANOS_PER_SECOND / nanos;
  }
}
