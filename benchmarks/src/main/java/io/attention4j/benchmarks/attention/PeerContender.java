package io.attention4j.benchmarks.attention;

import io.attention4j.benchmarks.kernel.AttentionCase;
import io.attention4j.benchmarks.kernel.AttentionProblem;
import io.attention4j.benchmarks.measure.Bench;
import io.attention4j.benchmarks.measure.Contender;
import io.attention4j.benchmarks.measure.TimedLoop;
import io.attention4j.benchmarks.peer.AttentionPeer;

/** A peer's kernel on the inputs of one of our problems. */
final class PeerContender implements Contender, AutoCloseable {
  /**
   * Largest difference to our result, as a share of the largest result: both sides accumulate in
   * f32 in different orders over up to thousands of keys, and a wrong mask or layout is off by far
   * more.
   */
  private static final double TOLERANCE = 1e-3;

  private final AttentionPeer.Run run;
  private final TimedLoop loop;

  private PeerContender(AttentionPeer peer, AttentionPeer.Run run, Bench bench) {
    this.run = run;
    this.loop = new TimedLoop(peer.name(), bench.sample(), run::run);
  }

  /**
   * Prepares a peer and compares its result with ours.
   *
   * @throws IllegalStateException if the peer refuses the work or computes something else
   */
  static PeerContender open(AttentionPeer peer, AttentionProblem ours, Bench bench) {
    AttentionCase kind = ours.kind();
    AttentionPeer.Task task =
        new AttentionPeer.Task(kind.queryHeads(), kind.rows(), kind.headDim(), kind.causal());
    AttentionPeer.Run run =
        peer.open(task, ours.queriesByHead(), ours.keysByHead(), ours.valuesByHead());
    boolean agrees = false;
    try {
      ours.run();
      run.run();
      requireClose(peer.name(), ours.outputByHead(), run.output());
      agrees = true;
    } finally {
      if (!agrees) {
        run.close();
      }
    }
    return new PeerContender(peer, run, bench);
  }

  /** Non-finite results first: NaN passes every comparison of a difference. */
  static void requireClose(String name, float[] ours, float[] theirs) {
    if (ours.length != theirs.length) {
      throw new IllegalStateException(
          name + " gave " + theirs.length + " results where we give " + ours.length);
    }
    double largest = 0;
    double difference = 0;
    for (int i = 0; i < ours.length; i++) {
      if (!Float.isFinite(ours[i]) || !Float.isFinite(theirs[i])) {
        throw new IllegalStateException(
            "result " + i + " of " + name + " is " + theirs[i] + " and ours is " + ours[i]);
      }
      largest = Math.max(largest, Math.abs(theirs[i]));
      difference = Math.max(difference, Math.abs((double) ours[i] - theirs[i]));
    }
    if (difference > TOLERANCE * largest) {
      throw new IllegalStateException(
          name
              + " computes something else: the largest difference is "
              + difference
              + " where results reach "
              + largest);
    }
  }

  @Override
  public String name() {
    return loop.name();
  }

  @Override
  public double sampleSeconds() {
    return loop.sampleSeconds();
  }

  @Override
  public void close() {
    run.close();
  }
}
