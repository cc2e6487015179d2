package io.attention4j.cli;

import io.attention4j.llm.format.ModelFormatException;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;

/** Turns an exception into one sentence on stderr and an exit status. */
final class Errors {
  /** The data or the machine: a bad file, no memory. */
  static final int BAD_DATA = 1;

  /** The command line. */
  static final int WRONG_USAGE = 2;

  private Errors() {}

  static int report(Exception exception, CommandLine command, boolean debug) {
    PrintWriter err = command.getErr();
    if (debug) {
      exception.printStackTrace(err);
    }
    if (exception instanceof IllegalArgumentException) {
      err.println("attention4j: " + sentence(exception));
      return WRONG_USAGE;
    }
    err.println("attention4j: " + sentence(exception));
    return BAD_DATA;
  }

  static int reportUsage(ParameterException exception) {
    CommandLine command = exception.getCommandLine();
    String name = command.getCommandSpec().qualifiedName();
    command.getErr().println(name + ": " + exception.getMessage() + " (see " + name + " --help)");
    return WRONG_USAGE;
  }

  private static String sentence(Exception exception) {
    return switch (exception) {
      case ModelFormatException bad -> bad.getMessage();
      case NoSuchFileException missing -> missing.getFile() + ": there is no such file";
      case AccessDeniedException denied -> denied.getFile() + ": permission denied";
      case FileSystemException file ->
          file.getFile() + ": " + (file.getReason() == null ? "cannot be used" : file.getReason());
      case UncheckedIOException io -> io.getMessage();
      case IOException io -> io.getMessage() == null ? io.toString() : io.getMessage();
      case IllegalArgumentException usage -> usage.getMessage();
      case IllegalStateException state -> state.getMessage();
      default ->
          "internal error: " + exception + "; run again with --debug and report the stack trace";
    };
  }
}
