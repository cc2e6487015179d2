package io.attention4j.benchmarks.measure;

/** One side of a comparison. */
public interface Contender {
  /** A short name for tables. */
  String name();

  /** Does the work once or more and returns the seconds of once. */
  double sampleSeconds();
}
