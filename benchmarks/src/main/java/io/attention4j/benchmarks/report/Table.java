package io.attention4j.benchmarks.report;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Rows of words and numbers. Not thread-safe while it is being filled. */
public final class Table {
  private final String id;
  private final String title;
  private final List<Column> columns;
  private final int keys;
  private final List<List<Object>> rows = new ArrayList<>();
  private final List<String> notes = new ArrayList<>();

  /**
   * An empty table.
   *
   * @param id name of its CSV file, without the suffix
   */
  public Table(String id, String title, List<Column> columns) {
    this(id, title, 0, columns);
  }

  /**
   * An empty table whose rows may come from several runs.
   *
   * @param keys first columns that tell rows apart
   */
  public Table(String id, String title, int keys, List<Column> columns) {
    this.keys = keys;
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

  /**
   * Adds rows of an earlier run, as their CSV file has them.
   *
   * @throws IllegalArgumentException if the file has other columns; names both
   */
  public void addEarlier(List<List<String>> lines) {
    List<String> names = columns.stream().map(Column::name).toList();
    if (lines.isEmpty() || !lines.getFirst().equals(names)) {
      throw new IllegalArgumentException(
          id
              + ".csv has the columns "
              + (lines.isEmpty() ? List.of() : lines.getFirst())
              + ", not "
              + names
              + "; take another folder, or measure everything anew");
    }
    for (List<String> line : lines.subList(1, lines.size())) {
      if (line.size() != names.size()) {
        throw new IllegalArgumentException(
            id
                + ".csv has "
                + line.size()
                + " cells in the line "
                + line
                + ", not "
                + names.size());
      }
      List<Object> row = new ArrayList<>();
      for (int column = 0; column < names.size(); column++) {
        row.add(cell(column, line.get(column)));
      }
      rows.add(Collections.unmodifiableList(row));
    }
  }

  /** Of rows with the same keys the last stays, in the place of the first. */
  public void keepLast() {
    Map<List<String>, List<Object>> merged = new LinkedHashMap<>();
    rows.forEach(row -> merged.put(key(row), row));
    rows.clear();
    rows.addAll(merged.values());
  }

  private List<String> key(List<Object> row) {
    return row.subList(0, keys).stream().map(String::valueOf).toList();
  }

  private Object cell(int column, String text) {
    if (text.isEmpty()) {
      return null;
    }
    if (columns.get(column).decimals() > 0) {
      return Double.valueOf(text);
    }
    return text.matches("\\d{1,9}") ? (Object) Integer.valueOf(text) : text;
  }

  /** How many first columns tell rows apart; 0 where rows come from one run. */
  public int keys() {
    return keys;
  }

  /** Sorts the rows; equal ones stay in their order. */
  public void sort(Comparator<List<Object>> order) {
    rows.sort(order);
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
