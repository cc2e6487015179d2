package io.attention4j.benchmarks.measure;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class RoundsTest {
  private static final Duration NONE = Duration.ZERO;

  private final List<String> log = new ArrayList<>();

  private Contender contender(String name, double... seconds) {
    return new Contender() {
      private int next;

      @Override
      public String name() {
        return name;
      }

      @Override
      public double sampleSeconds() {
        log.add(name);
        return seconds[Math.min(next++, seconds.length - 1)];
      }
    };
  }

  @Test
  void contendersTakeTurnsBetweenProbes() {
    Measured measured =
        new Rounds(2, NONE, NONE, NONE)
            .measure(
                List.of(contender("a", 1), contender("b", 2)),
                List.of(
                    () -> {
                      log.add("probe");
                      return 10;
                    }));
    List<String> warmUp = List.of("a", "a", "a", "b", "b", "b");
    assertEquals(warmUp, log.subList(0, 6));
    assertEquals(
        List.of("probe", "a", "b", "probe", "b", "a", "probe"), log.subList(6, log.size()));
    assertEquals(List.of("a", "b"), measured.names());
    assertEquals(2, measured.speedup(0, 1));
    assertEquals(0.5, measured.speedup(1, 0));
    assertEquals(0, measured.fastest(0));
    assertEquals(1, measured.fastest(1));
    assertEquals(-1, measured.fastest(2));
  }

  @Test
  void warmUpGoesOnUntilSamplesAreSteady() {
    Contender slowToStart = contender("a", 9, 5, 3, 1, 1, 1, 1);
    new Rounds(1, NONE, Duration.ofMinutes(1), NONE).measure(List.of(slowToStart), List.of());
    assertEquals(6 + 1, log.size());
  }

  @Test
  void shareOfProbeUsesTheProbesAroundEachRound() {
    Measured measured =
        new Measured(List.of("a"), new double[][] {{1, 2, 4}}, new double[][] {{100, 60, 40, 10}});
    assertEquals(80, measured.probe(0, 0));
    assertEquals(50, measured.probe(0));
    // Shares of the rounds: 40/80, 20/50, 10/25.
    assertEquals(0.4, measured.shareOfProbe(0, 40, 0), 1e-12);
    assertEquals(2, measured.seconds(0));
    assertEquals(4, measured.seconds(0, 2));
  }

  @Test
  void aTimedLoopRepeatsShortBodies() {
    int[] calls = new int[1];
    TimedLoop loop = new TimedLoop("loop", Duration.ofMillis(2), () -> calls[0]++);
    loop.sampleSeconds();
    assertEquals(1, calls[0]);
    double seconds = loop.sampleSeconds();
    assertTrue(calls[0] > 10, calls[0] + " calls");
    assertTrue(seconds > 0 && seconds < 1e-3, seconds + " s");
  }

  @Test
  void noRoundsAreRefused() {
    assertThrows(IllegalArgumentException.class, () -> new Rounds(0, NONE, NONE, NONE));
  }
}
