package io.attention4j.cli;

/** The command line is right but its data cannot be used. The message is one whole sentence. */
final class BadDataException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  BadDataException(String message) {
    super(message);
  }

  BadDataException(String message, Throwable cause) {
    super(message, cause);
  }
}
