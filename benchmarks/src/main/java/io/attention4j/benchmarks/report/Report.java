package io.attention4j.benchmarks.report;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * What one command found.
 *
 * @param id name of the Markdown file, without the suffix
 * @param title heading
 * @param header lines on the machine, the JVM, the date and the probes
 * @param tables results
 * @param charts the same as pictures; they go with {@link #write} alone
 */
public record Report(
    String id, String title, List<String> header, List<Table> tables, List<BarChart> charts) {

  /** Prints the tables with aligned columns. */
  public void print(PrintWriter out) {
    out.println(title);
    header.forEach(out::println);
    for (Table table : tables) {
      out.println();
      out.println(table.title());
      printAligned(table, out);
      table.notes().forEach(note -> out.println("  " + note));
    }
    out.flush();
  }

  private static void printAligned(Table table, PrintWriter out) {
    int[] widths = new int[table.columns().size()];
    for (int column = 0; column < widths.length; column++) {
      widths[column] = table.columns().get(column).name().length();
      for (int row = 0; row < table.rows().size(); row++) {
        widths[column] = Math.max(widths[column], table.text(row, column).length());
      }
    }
    for (int row = -1; row < table.rows().size(); row++) {
      StringBuilder line = new StringBuilder();
      for (int column = 0; column < widths.length; column++) {
        String cell = row < 0 ? table.columns().get(column).name() : table.text(row, column);
        String padding = " ".repeat(widths[column] - cell.length());
        line.append("  ").append(table.isNumeric(column) ? padding + cell : cell + padding);
      }
      out.println(line.toString().stripTrailing());
    }
  }

  /**
   * Writes ID.md, a CSV file per table and a PNG file per chart, replacing those that are there.
   *
   * @throws IOException if the folder cannot be made or written
   */
  public void write(Path folder) throws IOException {
    Files.createDirectories(folder);
    for (BarChart chart : charts) {
      Plots.write(chart, folder.resolve(chart.id() + ".png"));
    }
    for (Table table : tables) {
      Files.writeString(folder.resolve(table.id() + ".csv"), csv(table));
    }
    Files.writeString(folder.resolve(id + ".md"), markdown());
  }

  /** The report as Markdown, with links to the plots beside it. */
  public String markdown() {
    StringBuilder text = new StringBuilder("# " + title + "\n\n");
    header.forEach(line -> text.append("- ").append(line).append('\n'));
    for (Table table : tables) {
      text.append("\n## ").append(table.title()).append("\n\n");
      appendTable(table, text);
      table.notes().forEach(note -> text.append('\n').append(note).append('\n'));
    }
    for (BarChart chart : charts) {
      text.append("\n![").append(chart.title()).append("](").append(chart.id()).append(".png)\n");
    }
    return text.toString();
  }

  private static void appendTable(Table table, StringBuilder text) {
    int columns = table.columns().size();
    for (Column column : table.columns()) {
      text.append("| ").append(escaped(column.name())).append(' ');
    }
    text.append("|\n");
    for (int column = 0; column < columns; column++) {
      text.append(table.isNumeric(column) ? "|---:" : "|---");
    }
    text.append("|\n");
    for (int row = 0; row < table.rows().size(); row++) {
      for (int column = 0; column < columns; column++) {
        text.append("| ").append(escaped(table.text(row, column))).append(' ');
      }
      text.append("|\n");
    }
  }

  private static String escaped(String cell) {
    return cell.replace("|", "\\|").replace("\n", " ");
  }

  /** A table as CSV (RFC 4180, with plain line feeds): numbers in full, nothing as nothing. */
  public static String csv(Table table) {
    StringBuilder text = new StringBuilder();
    appendLine(text, table.columns().stream().map(Column::name).toList());
    table.rows().forEach(row -> appendLine(text, row));
    return text.toString();
  }

  private static void appendLine(StringBuilder text, List<?> cells) {
    for (int i = 0; i < cells.size(); i++) {
      text.append(i == 0 ? "" : ",").append(quoted(cells.get(i)));
    }
    text.append('\n');
  }

  private static String quoted(Object cell) {
    String text = cell == null ? "" : cell.toString();
    boolean plain = text.chars().noneMatch(c -> c == ',' || c == '"' || c == '\n' || c == '\r');
    return plain ? text : '"' + text.replace("\"", "\"\"") + '"';
  }
}
