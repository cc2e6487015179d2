package io.attention4j.benchmarks.report;

/**
 * A column of a {@link Table}.
 *
 * @param name what stands there, with its unit
 * @param decimals digits that people see of a fraction; CSV has all
 */
public record Column(String name, int decimals) {
  /** Of words or whole numbers. */
  public static Column of(String name) {
    return new Column(name, 0);
  }
}
