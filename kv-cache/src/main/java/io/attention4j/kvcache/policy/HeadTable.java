package io.attention4j.kvcache.policy;

import io.attention4j.engine.operator.LayerShape;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.MalformedInputException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * One finite number per KV head of a model: a line per layer, the numbers of its KV heads separated
 * by tabs or blanks, the format in which DuoAttention publishes its gates. A file may hold several
 * tables, each after a line with its name in brackets; lines that begin with # are comments.
 *
 * @param name of the table, empty for the one without
 * @param values [layer][kvHead]
 */
public record HeadTable(String name, double[][] values) {
  private static final long MAX_BYTES = 16 << 20;

  /** Takes the rows as they are. */
  public HeadTable {
    if (values.length == 0 || values[0].length == 0) {
      throw new IllegalArgumentException("a head table needs at least one layer and one head");
    }
    for (double[] row : values) {
      if (row.length != values[0].length) {
        throw new IllegalArgumentException(
            "a head table has " + row.length + " and " + values[0].length + " heads in its lines");
      }
    }
  }

  /** Number of layers. */
  public int layers() {
    return values.length;
  }

  /** KV heads of a layer. */
  public int kvHeads() {
    return values[0].length;
  }

  /**
   * Reads the tables of a file.
   *
   * @throws IllegalArgumentException if it is missing or no such file; names it and the line
   */
  public static List<HeadTable> read(Path file) {
    try {
      if (Files.size(file) > MAX_BYTES) {
        throw new IllegalArgumentException(file + " is too large for a list of heads");
      }
      return parse(file, Files.readAllLines(file));
    } catch (NoSuchFileException e) {
      throw new IllegalArgumentException(
          "no list of heads at "
              + file
              + "; make it with 'attention4j razor-heads', or name one with file=PATH",
          e);
    } catch (MalformedInputException e) {
      throw new IllegalArgumentException(file + " is not a text file with heads", e);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read the heads in " + file, e);
    }
  }

  private static List<HeadTable> parse(Path file, List<String> lines) {
    List<HeadTable> tables = new ArrayList<>();
    List<double[]> rows = new ArrayList<>();
    String name = "";
    for (int i = 0; i < lines.size(); i++) {
      String line = lines.get(i).strip();
      if (line.isEmpty() || line.startsWith("#")) {
        continue;
      }
      if (line.startsWith("[") && line.endsWith("]")) {
        add(tables, name, rows, file);
        name = line.substring(1, line.length() - 1).strip();
      } else {
        rows.add(numbers(file, i + 1, line));
      }
    }
    add(tables, name, rows, file);
    if (tables.isEmpty()) {
      throw new IllegalArgumentException(file + " lists no heads");
    }
    return tables;
  }

  private static void add(List<HeadTable> tables, String name, List<double[]> rows, Path file) {
    if (rows.isEmpty()) {
      return;
    }
    try {
      tables.add(new HeadTable(name, rows.toArray(double[][]::new)));
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(file + ": " + e.getMessage(), e);
    }
    rows.clear();
  }

  private static double[] numbers(Path file, int line, String text) {
    String[] words = text.split("[\\s,]+");
    double[] numbers = new double[words.length];
    for (int i = 0; i < words.length; i++) {
      try {
        numbers[i] = Double.parseDouble(words[i]);
      } catch (NumberFormatException e) {
        throw new IllegalArgumentException(
            file + " line " + line + ": '" + words[i] + "' is not a number", e);
      }
      if (!Double.isFinite(numbers[i])) {
        throw new IllegalArgumentException(
            file + " line " + line + ": " + words[i] + " is not a finite number");
      }
    }
    return numbers;
  }

  /** Lines that {@link #read} reads. */
  public List<String> lines() {
    List<String> lines = new ArrayList<>();
    lines.add("[" + name + "]");
    for (double[] row : values) {
      lines.add(
          String.join(
              "\t",
              Arrays.stream(row).mapToObj(v -> String.format(Locale.ROOT, "%.6g", v)).toList()));
    }
    return lines;
  }

  /**
   * Marks the heads with the highest values over all layers.
   *
   * @param share of all heads, rounded to the nearest number
   */
  boolean[][] highest(double share) {
    int count = (int) Math.round(share * layers() * kvHeads());
    List<int[]> heads = new ArrayList<>();
    for (int layer = 0; layer < layers(); layer++) {
      for (int head = 0; head < kvHeads(); head++) {
        heads.add(new int[] {layer, head});
      }
    }
    heads.sort((a, b) -> Double.compare(values[b[0]][b[1]], values[a[0]][a[1]]));
    boolean[][] marked = new boolean[layers()][kvHeads()];
    for (int[] head : heads.subList(0, count)) {
      marked[head[0]][head[1]] = true;
    }
    return marked;
  }

  /** Requires a table of the layer's model. */
  void requireLayer(LayerShape shape, String policy) {
    if (shape.layer() >= layers() || shape.kvHeads() != kvHeads()) {
      throw foreign(layers(), kvHeads(), shape, policy);
    }
  }

  static IllegalArgumentException foreign(
      int layers, int kvHeads, LayerShape shape, String policy) {
    return new IllegalArgumentException(
        "the heads of KV policy '"
            + policy
            + "' are of a model with "
            + layers
            + " layers of "
            + kvHeads
            + " KV heads, but this one has layer "
            + shape.layer()
            + " with "
            + shape.kvHeads()
            + "; make the list with this model");
  }
}
