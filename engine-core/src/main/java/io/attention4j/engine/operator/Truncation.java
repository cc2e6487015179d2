package io.attention4j.engine.operator;

/** Whether a state could go back. */
public sealed interface Truncation {
  /** It did. */
  record Done() implements Truncation {}

  /**
   * It could not and is unchanged; {@code nearest} is the longest earlier length it can restore.
   */
  record Refused(String reason, long nearest) implements Truncation {}
}
