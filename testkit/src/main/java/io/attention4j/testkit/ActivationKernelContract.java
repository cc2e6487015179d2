package io.attention4j.testkit;

import io.attention4j.engine.spi.ActivationKernel;
import io.attention4j.engine.spi.Device;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Activations against float64, element by element: tails keep their relative precision. */
public abstract class ActivationKernelContract extends KernelContract {
  private enum Target {
    FRESH,
    X,
    GATED
  }

  private record Case(
      String name,
      ActivationKernel.Function function,
      int elements,
      boolean gated,
      Target target) {}

  /** For providers' test classes. */
  protected ActivationKernelContract() {
    super("activation");
  }

  @TestFactory
  final Stream<DynamicTest> cases() {
    List<Case> cases = new ArrayList<>();
    for (ActivationKernel.Function function : ActivationKernel.Function.values()) {
      String name = function.name().toLowerCase(Locale.ROOT).replace('_', '-');
      for (int elements : new int[] {0, 1, 7, 8, 17, 207, 4097}) {
        cases.add(new Case(name + "-" + elements, function, elements, false, Target.FRESH));
      }
      cases.add(new Case(name + "-gated", function, 207, true, Target.FRESH));
      cases.add(new Case(name + "-in-place", function, 207, false, Target.X));
      cases.add(new Case(name + "-gated-into-x", function, 207, true, Target.X));
      cases.add(new Case(name + "-gated-into-gated", function, 207, true, Target.GATED));
    }
    return cases.stream()
        .map(c -> testCase(c.name, ActivationKernel.class, c.function, () -> check(c)));
  }

  private void check(Case c) {
    float[] expected = run(reference(), c);
    float[] actual = run(device(), c);
    Comparison.requireWithin("out", expected, actual, 1e-5);
    for (int i = 0; i < expected.length; i++) {
      // The error of an exponential of x grows with |x|, at most 20 here; GELU's tail may round to
      // 0.
      double allowed = 4e-6 * Math.abs(expected[i]) + 2e-7;
      if (Math.abs((double) expected[i] - actual[i]) > allowed) {
        throw new AssertionError("out[" + i + "] is " + actual[i] + " instead of " + expected[i]);
      }
    }
  }

  private float[] run(Device on, Case c) {
    CaseRandom random = new CaseRandom(c.name);
    float[] values = random.floats(c.elements + 1, 20);
    float[] extremes = {0f, -0f, 1e-30f, -100f, 100f, 1e30f, -1e30f};
    for (int i = 0; i < Math.min(extremes.length, c.elements); i++) {
      values[c.elements - 1 - i] = extremes[i];
    }
    try (Device.TensorArena arena = on.newArena()) {
      GuardedFloats x = GuardedFloats.of(on, arena, values, c.elements + 1);
      GuardedFloats gated =
          GuardedFloats.of(on, arena, random.floats(c.elements + 1, 1), c.elements + 1);
      GuardedFloats fresh = GuardedFloats.of(on, arena, new float[c.elements + 1], c.elements + 1);
      GuardedFloats out =
          switch (c.target) {
            case FRESH -> fresh;
            case X -> x;
            case GATED -> gated;
          };
      kernel(on, ActivationKernel.class)
          .run(c.function, x.tensor(), c.gated ? gated.tensor() : null, out.tensor(), c.elements);
      return out.read();
    }
  }
}
