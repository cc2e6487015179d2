package io.attention4j.llm.tokenizer;

/**
 * The native tokenizer cannot run on this machine, or gave up on a text. The message is one
 * sentence for a person: what is wrong and what to do. A bad vocabulary is a {@link
 * io.attention4j.llm.format.ModelFormatException} instead.
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
