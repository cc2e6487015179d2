package io.attention4j.benchmarks.report;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Bars of several series over the same labels. Not thread-safe while it is being filled. */
public final class BarChart {
  private final String id;
  private final String title;
  private final String unit;
  private final List<String> labels = new ArrayList<>();
  private final Map<String, List<Double>> series = new LinkedHashMap<>();

  /**
   * An empty chart.
   *
   * @param id name of its PNG file, without the suffix
   * @param unit of the bars
   */
  public BarChart(String id, String title, String unit) {
    this.id = id;
    this.title = title;
    this.unit = unit;
  }

  /** Adds a group of bars, one for each series that has a value here; a null leaves a gap. */
  public void add(String label, Map<String, Double> values) {
    for (String name : values.keySet()) {
      series.computeIfAbsent(name, _ -> new ArrayList<>(Collections.nCopies(labels.size(), null)));
    }
    labels.add(label);
    series.forEach((name, bars) -> bars.add(values.get(name)));
  }

  /** Name of the PNG file, without the suffix. */
  public String id() {
    return id;
  }

  /** What it shows. */
  public String title() {
    return title;
  }

  /** Unit of the bars. */
  public String unit() {
    return unit;
  }

  /** One per group of bars. */
  public List<String> labels() {
    return labels;
  }

  /** Values by series, as many as labels; null where there is no bar. */
  public Map<String, List<Double>> series() {
    return series;
  }
}
