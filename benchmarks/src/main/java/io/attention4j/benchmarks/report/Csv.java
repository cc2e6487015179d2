package io.attention4j.benchmarks.report;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Reads what {@link Report#csv} writes. */
public final class Csv {
  private Csv() {}

  /**
   * The lines of a file, the header among them.
   *
   * @throws IOException if it cannot be read
   * @throws IllegalArgumentException if a quoted cell does not end
   */
  public static List<List<String>> read(Path file) throws IOException {
    List<List<String>> lines = new ArrayList<>();
    List<String> cells = new ArrayList<>();
    StringBuilder cell = new StringBuilder();
    boolean quoted = false;
    String text = Files.readString(file);
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (quoted) {
        if (c != '"') {
          cell.append(c);
        } else if (i + 1 < text.length() && text.charAt(i + 1) == '"') {
          cell.append(text.charAt(++i));
        } else {
          quoted = false;
        }
      } else if (c == '"') {
        quoted = true;
      } else if (c == ',' || c == '\n') {
        cells.add(cell.toString());
        cell.setLength(0);
        if (c == '\n') {
          lines.add(List.copyOf(cells));
          cells.clear();
        }
      } else {
        cell.append(c);
      }
    }
    if (quoted) {
      throw new IllegalArgumentException(file + " ends within a quoted cell; write it anew");
    }
    return lines;
  }
}
