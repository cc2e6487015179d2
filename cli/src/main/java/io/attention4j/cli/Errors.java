package io.attention4j.cli;

import io.attention4j.chat.ChatTemplateException;
import io.attention4j.llm.ContextTooLargeException;
import io.attention4j.llm.format.ModelFormatException;
import io.attention4j.llm.tokenizer.TokenizerException;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;

/** Turns whatever was thrown into one sentence on stderr and an exit status. */
final class Errors {
  /** The data or the machine: a bad file, no memory. */
  static final int BAD_DATA = 1;

  /** The command line. */
  static final int WRONG_USAGE = 2;

  /** The reader of stdout went away: what a shell gives for a process ended by SIGPIPE. */
  static final int BROKEN_PIPE = 141;

  private Errors() {}

  static int report(Throwable thrown, CommandLine command, boolean debug) {
    if (thrown instanceof StandardOutput.FailedException failed && failed.isBrokenPipe()) {
      return BROKEN_PIPE;
    }
    PrintWriter err = command.getErr();
    if (debug) {
      thrown.printStackTrace(err);
    }
    err.println("attention4j: " + sentence(thrown));
    err.flush();
    return isWrongUsage(thrown) ? WRONG_USAGE : BAD_DATA;
  }

  static int reportUsage(ParameterException exception) {
    CommandLine command = exception.getCommandLine();
    String name = command.getCommandSpec().qualifiedName();
    PrintWriter err = command.getErr();
    err.println(name + ": " + oneLine(exception.getMessage()) + " (see " + name + " --help)");
    err.flush();
    return WRONG_USAGE;
  }

  private static boolean isWrongUsage(Throwable thrown) {
    return thrown instanceof IllegalArgumentException
        && !(thrown instanceof ContextTooLargeException);
  }

  /** One sentence, on one line, without the program's name. */
  static String sentence(Throwable thrown) {
    return oneLine(
        switch (thrown) {
          case NoSuchFileException missing -> missing.getFile() + ": there is no such file";
          case AccessDeniedException denied -> denied.getFile() + ": permission denied";
          case FileSystemException file ->
              file.getFile()
                  + ": "
                  + (file.getReason() == null ? "cannot be used" : file.getReason());
          case UncheckedIOException io when io.getCause().toString().equals(io.getMessage()) ->
              sentence(io.getCause());
          case UncheckedIOException io -> io.getMessage() + " (" + sentence(io.getCause()) + ")";
          case IOException io when io.getMessage() != null -> io.getMessage();
          case ModelFormatException bad -> bad.getMessage();
          case TokenizerException bad -> bad.getMessage();
          case ChatTemplateException bad -> bad.getMessage();
          case BadDataException bad -> bad.getMessage();
          case StandardOutput.FailedException failed -> failed.getMessage();
          case IllegalArgumentException usage when usage.getMessage() != null -> usage.getMessage();
          case IllegalStateException state when state.getMessage() != null -> state.getMessage();
          case OutOfMemoryError memory ->
              "out of memory ("
                  + memory.getMessage()
                  + "); use a smaller --context, --batch or model, or give the JVM more heap with"
                  + " JDK_JAVA_OPTIONS=-Xmx8g";
          case StackOverflowError _ ->
              "the input nests deeper than this program can follow; simplify it, or run again with"
                  + " --debug and report the stack trace";
          default ->
              "internal error: " + thrown + "; run again with --debug and report the stack trace";
        });
  }

  private static String oneLine(String message) {
    return message.strip().replaceAll("\\s*\\R\\s*", " ");
  }
}
