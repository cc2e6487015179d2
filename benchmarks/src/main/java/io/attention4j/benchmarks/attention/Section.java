package io.attention4j.benchmarks.attention;

import io.attention4j.benchmarks.measure.Bench;
import io.attention4j.benchmarks.report.BarChart;
import io.attention4j.benchmarks.report.Table;

/** One table of {@code attention} and its plot. */
interface Section {
  /** What a section gives. */
  record Outcome(Table table, BarChart chart) {}

  /** Measures. */
  Outcome run(Bench bench);
}
