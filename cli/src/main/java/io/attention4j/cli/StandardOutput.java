package io.attention4j.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;

/**
 * Standard output that fails loudly. {@link PrintWriter} swallows every {@link IOException}, so a
 * full disk would look like success and a closed pipe would not end a long generation.
 */
final class StandardOutput extends OutputStream {
  /** Writing failed; the cause says why. */
  static final class FailedException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    FailedException(IOException cause) {
      super("cannot write to standard output: " + cause.getMessage(), cause);
    }

    /** Whether the reader went away, as {@code head} does when it has seen enough. */
    boolean isBrokenPipe() {
      return getCause().getMessage() != null && getCause().getMessage().contains("Broken pipe");
    }
  }

  /** Set by the launcher where its stdout is a terminal; the JDK asks about stdin as well. */
  private static final String TERMINAL_PROPERTY = "attention4j.stdout.terminal";

  private final OutputStream target;

  StandardOutput(OutputStream target) {
    this.target = target;
  }

  /** A writer to descriptor 1 in the terminal's charset. */
  static PrintWriter writer() {
    OutputStream descriptor = new FileOutputStream(FileDescriptor.out);
    return new PrintWriter(
        new OutputStreamWriter(new StandardOutput(descriptor), System.out.charset()));
  }

  /** Whether a person reads along. */
  static boolean isTerminal() {
    return Boolean.getBoolean(TERMINAL_PROPERTY);
  }

  @Override
  public void write(int value) {
    write(new byte[] {(byte) value}, 0, 1);
  }

  @Override
  public void write(byte[] bytes, int offset, int length) {
    try {
      target.write(bytes, offset, length);
    } catch (IOException e) {
      throw new FailedException(e);
    }
  }

  @Override
  public void flush() {
    try {
      target.flush();
    } catch (IOException e) {
      throw new FailedException(e);
    }
  }
}
