package io.attention4j.llm.format;

import java.nio.file.Path;
import java.util.regex.Pattern;

/**
 * A model file, or a folder of them, that cannot be used as it is. The message is one sentence for
 * a person: the file, what is wrong with it, and what to do.
 *
 * <p>Unchecked, because a weight or metadata key can turn out to be missing or of the wrong type
 * wherever an architecture asks for it, far from the call that opened the file. Failures of the
 * disk itself stay {@link java.io.IOException}.
 */
public final class ModelFormatException extends RuntimeException {
  private static final long serialVersionUID = 1L;
  private static final int MAX_QUOTED = 100;
  private static final Pattern CONTROL =
      Pattern.compile("\\p{Cntrl}", Pattern.UNICODE_CHARACTER_CLASS);

  private final transient Path file;

  /**
   * An error in a file.
   *
   * @param file the file or folder
   * @param problem what is wrong, as a clause ("the tensor 'x' lies outside the file")
   * @param remedy what to do about it, as a clause ("download it again")
   */
  public ModelFormatException(Path file, String problem, String remedy) {
    this(file, problem, remedy, null);
  }

  /** An error in a file that another error revealed. */
  public ModelFormatException(Path file, String problem, String remedy, Throwable cause) {
    super(file + ": " + problem + "; " + remedy, cause);
    this.file = file;
  }

  /**
   * A name or other text of a hostile file as it may appear in a message: in single quotes, at most
   * 100 characters, without control characters that a terminal would obey.
   */
  public static String quote(String text) {
    String head = text.length() <= MAX_QUOTED ? text : text.substring(0, MAX_QUOTED) + "…";
    return "'" + CONTROL.matcher(head).replaceAll("\uFFFD") + "'";
  }

  /** The file or folder; null after deserialization. */
  public Path file() {
    return file;
  }
}
