package io.attention4j.benchmarks.measure;

import java.util.List;
import java.util.function.IntToDoubleFunction;

/** What the rounds of {@link Rounds} gave. */
public final class Measured {
  private final List<String> names;
  private final double[][] seconds;
  private final double[][] probes;

  /**
   * Takes over the arrays.
   *
   * @param seconds [contender][round]
   * @param probes [probe][round + 1] in units per second: before the first round and after each
   */
  public Measured(List<String> names, double[][] seconds, double[][] probes) {
    this.names = List.copyOf(names);
    this.seconds = seconds;
    this.probes = probes;
  }

  /** Names of the contenders. */
  public List<String> names() {
    return names;
  }

  /** Median seconds of a contender. */
  public double seconds(int contender) {
    return Statistics.median(seconds[contender]);
  }

  /** Seconds of a contender in one round. */
  public double seconds(int contender, int round) {
    return seconds[contender][round];
  }

  /** How many times as fast {@code a} is as {@code b}: the median over the rounds. */
  public double speedup(int a, int b) {
    return Statistics.medianOfRatios(seconds[b], seconds[a]);
  }

  /** Median rate of a probe, per second. */
  public double probe(int probe) {
    return Statistics.median(probes[probe]);
  }

  /** Mean rate of a probe right before and right after a round. */
  public double probe(int probe, int round) {
    return (probes[probe][round] + probes[probe][round + 1]) / 2;
  }

  /** Share of a probe's rate at which a contender does {@code units} of work: the median. */
  public double shareOfProbe(int contender, double units, int probe) {
    return median(round -> units / seconds[contender][round] / probe(probe, round));
  }

  /** Median over the rounds of something computed from one. */
  public double median(IntToDoubleFunction ofRound) {
    double[] values = new double[seconds.length == 0 ? 0 : seconds[0].length];
    for (int round = 0; round < values.length; round++) {
      values[round] = ofRound.applyAsDouble(round);
    }
    return Statistics.median(values);
  }

  /** The fastest by median among the contenders from {@code from} on, or -1 if there is none. */
  public int fastest(int from) {
    int best = -1;
    for (int i = from; i < seconds.length; i++) {
      if (best < 0 || seconds(i) < seconds(best)) {
        best = i;
      }
    }
    return best;
  }
}
