package io.attention4j.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;

/**
 * The descriptor that {@link System#err} writes to.
 *
 * <p>The JVM announces the incubating vector module on descriptor 2 before any of our code runs,
 * and no option stops it. The launcher script therefore filters descriptor 2, hands over the real
 * one under another number in the property {@value #PROPERTY}, and opens {@code java.io} to us.
 */
final class StandardError {
  static final String PROPERTY = "attention4j.stderr";

  private StandardError() {}

  /** Points {@link System#err} to the launcher's descriptor; without a launcher does nothing. */
  static void attach() {
    Integer number = Integer.getInteger(PROPERTY);
    if (number == null) {
      return;
    }
    // Opening /dev/fd/N would lose the shared file position of "2>&1" and fail on sockets.
    try {
      var constructor = FileDescriptor.class.getDeclaredConstructor(int.class);
      constructor.setAccessible(true);
      FileDescriptor descriptor = constructor.newInstance(number);
      System.setErr(new PrintStream(new FileOutputStream(descriptor), true, System.err.charset()));
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException("cannot write to descriptor " + number, e);
    }
  }
}
