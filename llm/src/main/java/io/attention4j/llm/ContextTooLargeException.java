package io.attention4j.llm;

/**
 * The context asked for does not fit the memory of this machine. The message is one sentence with
 * what it needs, what there is, and the largest context that fits.
 */
public final class ContextTooLargeException extends IllegalArgumentException {
  private static final long serialVersionUID = 1L;

  ContextTooLargeException(String message) {
    super(message);
  }
}
