package io.attention4j.benchmarks;

import java.io.IOException;

/** Runs JMH over the benchmarks of this module; takes JMH's own options. */
public final class Main {
  private Main() {}

  /**
   * Runs the benchmarks that the arguments select.
   *
   * @throws IOException if JMH cannot read its list of benchmarks or write a report
   */
  public static void main(String[] args) throws IOException {
    org.openjdk.jmh.Main.main(args);
  }
}
