package io.attention4j.llm.tokenizer;

/**
 * A vocabulary that cannot be used, or a machine on which the native tokenizer cannot run. The
 * message is one sentence for a person: where, what is wrong, and what to do.
 */
public final class TokenizerException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** An error with a sentence for a person. */
  public TokenizerException(String message) {
    super(message);
  }

  /** An error that another error revealed. */
  public TokenizerException(String message, Throwable cause) {
    super(message, cause);
  }
}
