package io.attention4j.testkit;

import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.SoftmaxKernel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Row softmax against float64. */
public abstract class SoftmaxKernelContract extends KernelContract {
  private record Case(
      String name, int rows, int size, boolean inPlace, float magnitude, double hidden) {}

  /** For providers' test classes. */
  protected SoftmaxKernelContract() {
    super("softmax");
  }

  @TestFactory
  final Stream<DynamicTest> cases() {
    List<Case> cases = new ArrayList<>();
    for (int size : new int[] {1, 2, 7, 8, 9, 16, 17, 207, 4097}) {
      cases.add(new Case("size" + size, 3, size, false, 5, 0));
    }
    cases.add(new Case("in-place", 3, 33, true, 5, 0));
    cases.add(new Case("some-hidden", 3, 33, false, 5, 0.5));
    cases.add(new Case("all-hidden", 3, 33, false, 5, 1));
    cases.add(new Case("huge", 3, 33, false, 1e30f, 0));
    cases.add(new Case("equal", 3, 33, false, 0, 0));
    cases.add(new Case("no-rows", 0, 33, false, 5, 0));
    return cases.stream().map(c -> testCase(c.name, SoftmaxKernel.class, c.size, () -> check(c)));
  }

  private void check(Case c) {
    // An exponential of up to 10 below the maximum, and a sum of positive terms.
    double tolerance = 0x1p-24 * (32 + 2 * Math.sqrt(c.size));
    Comparison.requireClose("out", run(reference(), c), run(device(), c), tolerance);
  }

  private float[] run(Device on, Case c) {
    CaseRandom random = new CaseRandom(c.name);
    float[] values = random.floats(c.rows * c.size, c.magnitude);
    for (int i = 0; i < values.length; i++) {
      values[i] = random.chance(c.hidden) ? Float.NEGATIVE_INFINITY : values[i];
    }
    float[] nans = new float[values.length];
    Arrays.fill(nans, Float.NaN);
    try (Device.TensorArena arena = on.newArena()) {
      GuardedFloats x = GuardedFloats.of(on, arena, values, c.rows, c.size);
      GuardedFloats out = c.inPlace ? x : GuardedFloats.of(on, arena, nans, c.rows, c.size);
      kernel(on, SoftmaxKernel.class).run(x.tensor(), c.rows, c.size, out.tensor());
      return out.read();
    }
  }
}
