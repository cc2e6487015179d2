package io.attention4j.llm.format;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;

/** Files of the folder beside the checkout that is not part of the project. */
public final class SharedFiles {
  private SharedFiles() {}

  /** The file, or a skipped test that says why. */
  public static Path require(String relative) {
    Path file = Path.of(System.getProperty("attention4j.shared", "../shared")).resolve(relative);
    if (!Files.exists(file)) {
      String message = "SKIPPED: " + relative + " is not in the folder attention4j.shared";
      System.err.println(message);
      Assumptions.abort(message);
    }
    return file;
  }
}
