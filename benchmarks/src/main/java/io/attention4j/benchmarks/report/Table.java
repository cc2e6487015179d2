package io.attention4j.benchmarks.report;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;

/** Rows of words and numbers. Not thread-safe while it is being filled. */
public final class Table {
  private final String id;
  private final String title;
  private final List<Column> columns;
  private final List<List<Object>> rows = new ArrayList<>();
  private final List<String> notes = new ArrayList<>();

  /**
   * An empty table.
   *
   * @param id name of its CSV file, without the suffix
   */
  public Table(String id, String title, List<Column> columns) {
    this.id = id;
    this.title = title;
    this.columns = List.copyOf(columns);
  }

  /**
   * Adds a row: a string, a number or null (nothing was measured) for every column.
   *
   * @throws IllegalArgumentException if the number of cells is not that of the columns
   */
  public void add(Object... cells) {
    if (cells.length != columns.size()) {
      throw new IllegalArgumentException(
          cells.length + " cells do not fill the " + columns.size() + " columns of " + id);
    }
    rows.add(Collections.unmodifiableList(new ArrayList<>(Arrays.asList(cells))));
  }

  /** Adds a sentence that stands below; the same one only once. */
  public void note(String sentence) {
    if (!notes.contains(sentence)) {
      notes.add(sentence);
    }
  }

  /** Name of the CSV file, without the suffix. */
  public String id() {
    return id;
  }

  /** What it shows. */
  public String title() {
    return title;
  }

  /** The columns. */
  public List<Column> columns() {
    return columns;
  }

  /** The rows; a cell is a string, a number or null. */
  public List<List<Object>> rows() {
    return Collections.unmodifiableList(rows);
  }

  /** What stands below. */
  public List<String> notes() {
    return Collections.unmodifiableList(notes);
  }

  /** A cell as people see it. */
  public String text(int row, int column) {
    return switch (rows.get(row).get(column)) {
      case null -> "-";
      case Double number ->
          String.format(Locale.ROOT, "%." + columns.get(column).decimals() + "f", number);
      case Object other -> other.toString();
    };
  }

  /** Whether all cells of a column are numbers or empty: those stand right-aligned. */
  public boolean isNumeric(int column) {
    return rows.stream()
        .map(row -> row.get(column))
        .allMatch(cell -> cell == null || cell instanceof Number);
  }
}
