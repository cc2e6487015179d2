package io.attention4j.benchmarks.measure;

import java.time.Duration;
import java.util.List;
import java.util.function.DoubleSupplier;

/**
 * Measures contenders in turns, with probes of the machine's limits between: probes A B probes A B
 * ... probes. The bandwidth and the clock of a shared machine swing from minute to minute, so only
 * neighbours are compared.
 *
 * @param rounds how often each contender is timed
 * @param warmUp least time that each contender runs before, for the JIT compiler
 * @param warmUpLimit most time that a contender may take to become steady
 * @param pause rest before each timing, in which threads of others that spin for work fall asleep
 */
public record Rounds(int rounds, Duration warmUp, Duration warmUpLimit, Duration pause) {
  private static final int STEADY_SAMPLES = 3;
  private static final double STEADY_SPREAD = 0.05;

  /** Checks the number of rounds. */
  public Rounds {
    if (rounds < 1) {
      throw new IllegalArgumentException("rounds " + rounds + " must be at least 1");
    }
  }

  /**
   * Warms up and measures. The order of the contenders rotates from round to round, so that none
   * always follows the same other one.
   *
   * @param probes each returns a rate in units per second
   */
  public Measured measure(List<? extends Contender> contenders, List<DoubleSupplier> probes) {
    contenders.forEach(this::warmUp);
    double[][] seconds = new double[contenders.size()][rounds];
    double[][] rates = new double[probes.size()][rounds + 1];
    probe(probes, rates, 0);
    for (int round = 0; round < rounds; round++) {
      for (int i = 0; i < contenders.size(); i++) {
        int contender = (round + i) % contenders.size();
        rest();
        seconds[contender][round] = contenders.get(contender).sampleSeconds();
      }
      probe(probes, rates, round + 1);
    }
    List<String> names = contenders.stream().<String>map(Contender::name).toList();
    return new Measured(names, seconds, rates);
  }

  private void probe(List<DoubleSupplier> probes, double[][] rates, int at) {
    for (int i = 0; i < rates.length; i++) {
      rest();
      rates[i][at] = probes.get(i).getAsDouble();
    }
  }

  private void warmUp(Contender contender) {
    double[] last = new double[STEADY_SAMPLES];
    long start = System.nanoTime();
    for (int samples = 0; ; samples++) {
      long elapsed = System.nanoTime() - start;
      if (samples >= STEADY_SAMPLES
          && (elapsed >= warmUpLimit.toNanos() || elapsed >= warmUp.toNanos() && isSteady(last))) {
        return;
      }
      last[samples % STEADY_SAMPLES] = contender.sampleSeconds();
    }
  }

  private static boolean isSteady(double[] samples) {
    double middle = Statistics.median(samples);
    for (double sample : samples) {
      if (Math.abs(sample - middle) > STEADY_SPREAD * middle) {
        return false;
      }
    }
    return true;
  }

  private void rest() {
    if (pause.isZero()) {
      return;
    }
    try {
      Thread.sleep(pause);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while measuring", e);
    }
  }
}
