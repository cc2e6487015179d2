package io.attention4j.testkit;

import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.LinearScanInputs;
import io.attention4j.engine.spi.LinearScanKernel;
import io.attention4j.engine.spi.LinearScanSpec;
import io.attention4j.engine.spi.LinearScanSpec.Decay;
import io.attention4j.engine.spi.LinearScanSpec.Write;
import io.attention4j.engine.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Scans against float64: outputs and the state after them, whole and cut in calls. */
public abstract class LinearScanKernelContract extends KernelContract {
  /**
   * Inputs of one case.
   *
   * @param decayReach g is uniform in [-decayReach, 0]
   * @param first rows of the first call; the rest is a second one
   */
  private record Case(String name, LinearScanSpec spec, int rows, int first, float decayReach) {}

  private record Result(float[] out, float[] state) {}

  /** For providers' test classes. */
  protected LinearScanKernelContract() {
    super("linear-scan");
  }

  @TestFactory
  final Stream<DynamicTest> cases() {
    List<Case> cases = new ArrayList<>();
    for (Decay decay : Decay.values()) {
      for (Write write : Write.values()) {
        String kind = decay + "-" + write;
        cases.add(of(kind + "-decode", 4, 2, 33, 40, decay, write, 1, 1, 1));
        cases.add(of(kind + "-odd", 2, 2, 5, 7, decay, write, 17, 4, 1));
        cases.add(of(kind + "-chunks", 3, 3, 64, 64, decay, write, 200, 130, 0.2f));
        cases.add(of(kind + "-wide", 2, 1, 128, 128, decay, write, 129, 64, 0.1f));
        cases.add(of(kind + "-tail", 1, 1, 32, 48, decay, write, 95, 95, 1));
      }
    }
    for (Write write : Write.values()) {
      // e^-G over a chunk would be e^1280; weak decays make the state remember everything.
      cases.add(of("strong-decay-" + write, 2, 2, 64, 64, Decay.KEY, write, 160, 160, 40));
      cases.add(of("strong-head-decay-" + write, 2, 2, 64, 64, Decay.HEAD, write, 160, 160, 40));
      cases.add(of("weak-decay-" + write, 1, 1, 64, 64, Decay.KEY, write, 320, 256, 1e-4f));
    }
    cases.add(of("no-rows", 2, 2, 8, 8, Decay.HEAD, Write.DELTA, 0, 0, 1));
    return cases.stream()
        .map(c -> testCase(c.name, LinearScanKernel.class, c.spec, () -> check(c)));
  }

  private static Case of(
      String name,
      int queryHeads,
      int stateHeads,
      int keyDim,
      int valueDim,
      Decay decay,
      Write write,
      int rows,
      int first,
      float decayReach) {
    float scale = (float) (1 / Math.sqrt(keyDim));
    LinearScanSpec spec =
        new LinearScanSpec(queryHeads, stateHeads, keyDim, valueDim, scale, decay, write);
    return new Case(name, spec, rows, first, decayReach);
  }

  private void check(Case c) {
    Result expected = run(reference(), c);
    Result actual = run(device(), c);
    // Keys have unit length, so a state sums about min(rows, memory) products, each read again by
    // a sum of keyDim; errors of 2^-24 per operation add up as their root.
    double tolerance = 0x1p-24 * (48 + 4 * Math.sqrt((double) c.rows * c.spec.keyDim()));
    Comparison.requireClose("out", expected.out, actual.out, tolerance);
    Comparison.requireClose("state", expected.state, actual.state, tolerance);
  }

  private Result run(Device on, Case c) {
    LinearScanSpec spec = c.spec;
    CaseRandom random = new CaseRandom(c.name);
    int keys = spec.stateHeads() * spec.keyDim();
    float[] q = random.floats(c.rows * spec.queryHeads() * spec.keyDim(), 1);
    float[] k = unit(random.floats(c.rows * keys, 1), spec.keyDim());
    float[] v = random.floats(c.rows * spec.stateHeads() * spec.valueDim(), 1);
    int decays =
        switch (spec.decay()) {
          case NONE -> 0;
          case HEAD -> spec.stateHeads();
          case KEY -> keys;
        };
    float[] decay = random.floats(c.rows * decays, 1);
    for (int i = 0; i < decay.length; i++) {
      decay[i] = -Math.abs(decay[i]) * c.decayReach;
    }
    float[] beta = random.floats(c.rows * spec.stateHeads(), 1);
    for (int i = 0; i < beta.length; i++) {
      beta[i] = Math.abs(beta[i]);
    }
    // As RWKV-7: a unit key is recalled and a share of it removed.
    float[] read = unit(random.floats(c.rows * keys, 1), spec.keyDim());
    float[] write = read.clone();
    for (int i = 0; i < read.length; i++) {
      write[i] *= 0.7f;
      read[i] = -read[i];
    }
    float[] start = random.floats(keys * spec.valueDim(), 0.3f);
    float[] nans = new float[c.rows * spec.queryHeads() * spec.valueDim()];
    Arrays.fill(nans, Float.NaN);
    try (Device.TensorArena arena = on.newArena()) {
      Tensor qs = tensor(on, arena, q, c.rows, spec.queryHeads(), spec.keyDim());
      Tensor ks = tensor(on, arena, k, c.rows, spec.stateHeads(), spec.keyDim());
      Tensor vs = tensor(on, arena, v, c.rows, spec.stateHeads(), spec.valueDim());
      Tensor decayed =
          decays == 0
              ? null
              : tensor(on, arena, decay, c.rows, spec.stateHeads(), decays / spec.stateHeads());
      Tensor strengths =
          spec.write() == Write.DELTA
              ? tensor(on, arena, beta, c.rows, spec.stateHeads(), 1)
              : null;
      boolean lowRank = spec.write() == Write.LOW_RANK;
      Tensor reads =
          lowRank ? tensor(on, arena, read, c.rows, spec.stateHeads(), spec.keyDim()) : null;
      Tensor writes =
          lowRank ? tensor(on, arena, write, c.rows, spec.stateHeads(), spec.keyDim()) : null;
      GuardedFloats state =
          GuardedFloats.of(on, arena, start, spec.stateHeads(), spec.keyDim(), spec.valueDim());
      GuardedFloats out =
          GuardedFloats.of(on, arena, nans, c.rows, spec.queryHeads(), spec.valueDim());
      LinearScanInputs in = new LinearScanInputs(qs, ks, vs, decayed, strengths, reads, writes);
      LinearScanKernel kernel = kernel(on, LinearScanKernel.class);
      kernel.run(spec, in, 0, c.first, state.tensor(), out.tensor());
      kernel.run(spec, in, c.first, c.rows - c.first, state.tensor(), out.tensor());
      return new Result(out.read(), state.read());
    }
  }

  private static float[] unit(float[] values, int dim) {
    for (int at = 0; at < values.length; at += dim) {
      double square = 0;
      for (int i = 0; i < dim; i++) {
        square += (double) values[at + i] * values[at + i];
      }
      for (int i = 0; i < dim; i++) {
        values[at + i] /= (float) Math.sqrt(square);
      }
    }
    return values;
  }

  private static Tensor tensor(
      Device on, Device.TensorArena arena, float[] values, int rows, int heads, int dim) {
    return GuardedFloats.of(on, arena, values, rows, heads, dim).tensor();
  }
}
