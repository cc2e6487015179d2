package io.attention4j.benchmarks.jmh;

import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

/** Work done, which JMH divides by the time: GFLOP/s and GB/s beside calls per second. */
@AuxCounters(AuxCounters.Type.OPERATIONS)
@State(Scope.Thread)
public class Work {
  /** Floating-point operations in units of 10^9. */
  public double gflop;

  /** Bytes that have to be read, in units of 10^9. */
  public double gigabyte;

  /** Nothing is done yet. */
  @Setup(Level.Iteration)
  public void reset() {
    gflop = 0;
    gigabyte = 0;
  }

  /** Adds a call's work. */
  void add(double flops, double bytes) {
    gflop += flops / 1e9;
    gigabyte += bytes / 1e9;
  }
}
