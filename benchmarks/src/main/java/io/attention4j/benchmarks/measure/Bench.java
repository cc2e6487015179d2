package io.attention4j.benchmarks.measure;

import io.attention4j.engine.runtime.KernelSelector;
import java.time.Duration;
import java.util.function.Consumer;

/**
 * What every measurement of a command shares.
 *
 * @param kernels under test
 * @param rounds how to measure
 * @param sample least time of a timing
 * @param probe time of a probe
 * @param progress takes a line about what is being measured
 */
public record Bench(
    KernelSelector kernels,
    Rounds rounds,
    Duration sample,
    Duration probe,
    Consumer<String> progress) {

  /** Compute threads of every side. */
  public int threads() {
    return kernels.device().threads();
  }
}
