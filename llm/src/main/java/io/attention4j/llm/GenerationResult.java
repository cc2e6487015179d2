package io.attention4j.llm;

import java.util.Arrays;
import java.util.Objects;

/**
 * A finished generation.
 *
 * @param text all text given out
 * @param tokens ids generated, without a stop token
 * @param finishReason why it ended
 * @param stop the stop string that appeared, or null
 * @param timings how long it took
 */
public record GenerationResult(
    String text, int[] tokens, FinishReason finishReason, String stop, Timings timings) {
  @Override
  public boolean equals(Object other) {
    return other instanceof GenerationResult that
        && text.equals(that.text)
        && Arrays.equals(tokens, that.tokens)
        && finishReason == that.finishReason
        && Objects.equals(stop, that.stop)
        && timings.equals(that.timings);
  }

  @Override
  public int hashCode() {
    return 31 * text.hashCode() + Arrays.hashCode(tokens);
  }

  @Override
  public String toString() {
    return "GenerationResult[" + finishReason + ", " + tokens.length + " tokens, " + text + "]";
  }
}
