package io.attention4j.testkit;

import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.SelectiveScanInputs;
import io.attention4j.engine.spi.SelectiveScanKernel;
import io.attention4j.engine.spi.SelectiveScanSpec;
import io.attention4j.engine.spi.SelectiveScanSpec.Decay;
import io.attention4j.engine.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Selective scans against float64: outputs and states, whole, cut in two and token by token. */
public abstract class SelectiveScanKernelContract extends KernelContract {
  /**
   * A case.
   *
   * @param first rows of the first call; the rest is a second one
   * @param reach decays e^(step a) are of steps in [0, reach] and a in [-1, 0]
   * @param vectors whether there are b, c and a feed-through
   */
  private record Case(
      String name, SelectiveScanSpec spec, int rows, int first, float reach, boolean vectors) {}

  private record Result(float[] out, float[] state) {}

  /** For providers' test classes. */
  protected SelectiveScanKernelContract() {
    super("selective-scan");
  }

  @TestFactory
  final Stream<DynamicTest> cases() {
    List<Case> cases = new ArrayList<>();
    for (Decay decay : Decay.values()) {
      cases.add(of(decay + "-decode", decay, 2, 16, 40, 1, 1, 1));
      cases.add(of(decay + "-odd", decay, 3, 5, 7, 17, 4, 1));
      cases.add(of(decay + "-chunks", decay, 2, 16, 64, 200, 131, 0.3f));
      cases.add(of(decay + "-wide", decay, 1, 64, 200, 65, 64, 0.1f));
      cases.add(of(decay + "-strong", decay, 2, 8, 32, 160, 32, 300));
      cases.add(of(decay + "-weak", decay, 1, 4, 33, 320, 1, 1e-4f));
      cases.add(of(decay + "-many", decay, 4, 16, 130, 70, 31, 1));
      cases.add(of(decay + "-no-rows", decay, 2, 3, 8, 0, 0, 1));
      SelectiveScanSpec lstm = new SelectiveScanSpec(1, 1, 77, decay);
      cases.add(new Case(decay + "-no-vectors", lstm, 90, 33, 0.3f, false));
    }
    return cases.stream()
        .map(c -> testCase(c.name, SelectiveScanKernel.class, c.spec, () -> check(c)));
  }

  private static Case of(
      String name, Decay decay, int heads, int stateDim, int dim, int rows, int first, float to) {
    return new Case(
        name, new SelectiveScanSpec(heads, stateDim, dim, decay), rows, first, to, true);
  }

  private void check(Case c) {
    Result expected = run(reference(), c, false);
    // An element sums about min(rows, memory) products and an output stateDim of them; errors of
    // 2^-24 per operation add up as their root. A factor's exponent, up to 16 before it counts as
    // 0, is rounded before it is exponentiated.
    double tolerance = 0x1p-24 * (64 + 4 * Math.sqrt((double) c.rows * c.spec.stateDim()));
    for (boolean single : new boolean[] {false, true}) {
      Result actual = run(device(), c, single);
      Comparison.requireClose("out", expected.out, actual.out, tolerance);
      Comparison.requireClose("state", expected.state, actual.state, tolerance);
    }
  }

  private Result run(Device on, Case c, boolean single) {
    SelectiveScanSpec spec = c.spec;
    CaseRandom random = new CaseRandom(c.name);
    int columns = spec.heads() * spec.channels();
    boolean exponential = spec.decay() == Decay.EXPONENTIAL;
    float[] x = random.floats(c.rows * columns, 1);
    float[] decay = random.floats(c.rows * columns, 1);
    float[] write = random.floats(c.rows * columns, 1);
    for (int i = 0; i < decay.length; i++) {
      decay[i] = Math.abs(decay[i]) * c.reach;
      if (!exponential) {
        decay[i] = (float) Math.exp(-decay[i]);
      }
    }
    float[] a = random.floats(spec.stateDim() * columns, 1);
    for (int i = 0; i < a.length; i++) {
      a[i] = -Math.abs(a[i]);
    }
    int vectors = c.rows * spec.heads() * spec.stateDim();
    float[] b = random.floats(vectors, 1);
    float[] read = random.floats(vectors, 1);
    float[] through = random.floats(columns, 1);
    float[] start = random.floats(spec.stateDim() * columns, 0.3f);
    float[] nans = new float[c.rows * columns];
    Arrays.fill(nans, Float.NaN);
    try (Device.TensorArena arena = on.newArena()) {
      int heads = spec.heads();
      SelectiveScanInputs in =
          new SelectiveScanInputs(
              tensor(on, arena, x, c.rows, heads, spec.channels()),
              tensor(on, arena, decay, c.rows, heads, spec.channels()),
              tensor(on, arena, write, c.rows, heads, spec.channels()),
              c.vectors ? tensor(on, arena, b, c.rows, heads, spec.stateDim()) : null,
              c.vectors ? tensor(on, arena, read, c.rows, heads, spec.stateDim()) : null,
              exponential ? tensor(on, arena, a, heads, spec.stateDim(), spec.channels()) : null,
              c.vectors ? tensor(on, arena, through, 1, heads, spec.channels()) : null);
      GuardedFloats state =
          GuardedFloats.of(on, arena, start, heads, spec.stateDim(), spec.channels());
      GuardedFloats out = GuardedFloats.of(on, arena, nans, c.rows, heads, spec.channels());
      SelectiveScanKernel kernel = kernel(on, SelectiveScanKernel.class);
      kernel.run(spec, in, 0, c.first, state.tensor(), out.tensor());
      int piece = single ? 1 : Math.max(c.rows - c.first, 1);
      for (int from = c.first; from < c.rows; from += piece) {
        kernel.run(spec, in, from, piece, state.tensor(), out.tensor());
      }
      return new Result(out.read(), state.read());
    }
  }

  private static Tensor tensor(
      Device on, Device.TensorArena arena, float[] values, int rows, int heads, int dim) {
    return GuardedFloats.of(on, arena, values, rows, heads, dim).tensor();
  }
}
