package io.attention4j.testkit;

import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.PrefixAttentionKernel;
import io.attention4j.engine.spi.PrefixAttentionSpec;
import io.attention4j.engine.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Attention of every prefix against float64: outputs and states, whole and cut in calls. */
public abstract class PrefixAttentionKernelContract extends KernelContract {
  /**
   * A case.
   *
   * @param first rows of the first call; the rest is a second one
   * @param reach scores are within it of {@code centre}
   * @param hidden share of tokens with the score -inf
   */
  private record Case(
      String name,
      int heads,
      int valueDim,
      int rows,
      int first,
      float centre,
      float reach,
      double hidden) {
    PrefixAttentionSpec spec() {
      return new PrefixAttentionSpec(heads, valueDim);
    }
  }

  private record Result(float[] out, float[] means, float[] lse) {}

  /** For providers' test classes. */
  protected PrefixAttentionKernelContract() {
    super("prefix-attention");
  }

  @TestFactory
  final Stream<DynamicTest> cases() {
    List<Case> cases = new ArrayList<>();
    for (int rows : new int[] {1, 2, 63, 64, 65, 128, 300}) {
      cases.add(new Case("rows" + rows, 3, 17, rows, rows, 0, 3, 0));
      cases.add(new Case("rows" + rows + "-cut", 2, 64, rows, rows / 2, 0, 3, 0));
    }
    cases.add(new Case("dim1", 1, 1, 70, 33, 0, 3, 0));
    cases.add(new Case("dim200", 2, 200, 200, 150, 0, 3, 0));
    cases.add(new Case("many-chunks", 1, 8, 5000, 4900, 0, 3, 0));
    cases.add(new Case("large-scores", 2, 16, 150, 75, 1e4f, 3, 0));
    cases.add(new Case("small-scores", 2, 16, 150, 75, -1e4f, 3, 0));
    cases.add(new Case("far-apart", 2, 16, 150, 75, 0, 500, 0));
    cases.add(new Case("some-hidden", 2, 16, 150, 75, 0, 3, 0.6));
    cases.add(new Case("all-hidden", 2, 16, 150, 75, 0, 3, 1));
    cases.add(new Case("no-rows", 2, 16, 0, 0, 0, 3, 0));
    return cases.stream()
        .map(c -> testCase(c.name, PrefixAttentionKernel.class, c.spec(), () -> check(c)));
  }

  private void check(Case c) {
    Result expected = run(reference(), c);
    Result actual = run(device(), c);
    // Scores are exact, but their distance from the maximum, up to the reach, is rounded before
    // it is exponentiated, once per change of the maximum; sums of rows positive weights follow.
    double tolerance = 0x1p-24 * (32 + 8 * Math.min(c.reach, 80) + 4 * Math.sqrt(c.rows));
    Comparison.requireClose("out", expected.out, actual.out, tolerance);
    Comparison.requireClose("mean of the state", expected.means, actual.means, tolerance);
    Comparison.requireClose("lse of the state", expected.lse, actual.lse, tolerance);
  }

  private Result run(Device on, Case c) {
    PrefixAttentionSpec spec = c.spec();
    CaseRandom random = new CaseRandom(c.name);
    float[] scores = random.floats(c.rows * c.heads, c.reach);
    for (int i = 0; i < scores.length; i++) {
      scores[i] = random.chance(c.hidden) ? Float.NEGATIVE_INFINITY : scores[i] + c.centre;
    }
    float[] v = random.floats(c.rows * c.heads * c.valueDim, 1);
    float[] nans = new float[v.length];
    Arrays.fill(nans, Float.NaN);
    float[] start = new float[c.heads * spec.stateSize()];
    try (Device.TensorArena arena = on.newArena()) {
      GuardedFloats s = GuardedFloats.of(on, arena, scores, c.rows, c.heads);
      GuardedFloats values = GuardedFloats.of(on, arena, v, c.rows, c.heads, c.valueDim);
      GuardedFloats state = GuardedFloats.of(on, arena, start, c.heads, spec.stateSize());
      GuardedFloats out = GuardedFloats.of(on, arena, nans, c.rows, c.heads, c.valueDim);
      PrefixAttentionKernel kernel = kernel(on, PrefixAttentionKernel.class);
      kernel.run(spec, s.tensor(), values.tensor(), c.first, state.tensor(), out.tensor());
      int rest = c.rows - c.first;
      kernel.run(
          spec,
          from(s, c.first, rest),
          from(values, c.first, rest),
          rest,
          state.tensor(),
          from(out, c.first, rest));
      return result(spec, out.read(), state.read());
    }
  }

  private static Tensor from(GuardedFloats all, int first, int rows) {
    return all.tensor().slice(0, first, rows);
  }

  /** m is free, so states are compared by what does not depend on it. */
  private static Result result(PrefixAttentionSpec spec, float[] out, float[] state) {
    float[] means = new float[spec.heads() * spec.valueDim()];
    float[] lse = new float[spec.heads()];
    for (int h = 0; h < spec.heads(); h++) {
      int at = h * spec.stateSize();
      float sum = state[at + spec.valueDim() + 1];
      for (int d = 0; d < spec.valueDim(); d++) {
        means[h * spec.valueDim() + d] = sum == 0 ? 0 : state[at + d] / sum;
      }
      lse[h] =
          sum == 0
              ? Float.NEGATIVE_INFINITY
              : (float) (state[at + spec.valueDim()] + Math.log(sum));
    }
    return new Result(out, means, lse);
  }
}
