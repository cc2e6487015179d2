package io.attention4j.testkit;

import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.NormKernel;
import io.attention4j.engine.spi.NormSpec;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** RMS and layer norms against float64. */
public abstract class NormKernelContract extends KernelContract {
  private record Case(
      String name,
      NormSpec spec,
      int rows,
      boolean weight,
      boolean bias,
      boolean inPlace,
      float magnitude) {}

  /** For providers' test classes. */
  protected NormKernelContract() {
    super("norm");
  }

  @TestFactory
  final Stream<DynamicTest> cases() {
    List<Case> cases = new ArrayList<>();
    for (NormSpec.Kind kind : NormSpec.Kind.values()) {
      String name = kind.name().toLowerCase();
      for (int size : new int[] {1, 3, 7, 8, 16, 17, 64, 207, 702, 2048}) {
        NormSpec spec = new NormSpec(kind, size, 1e-5f, 0);
        cases.add(
            new Case(name + "-size" + size, spec, 3, true, kind == NormSpec.Kind.LAYER, false, 1));
      }
      NormSpec spec = new NormSpec(kind, 64, 1e-6f, 1);
      cases.add(new Case(name + "-weight-offset", spec, 5, true, false, false, 1));
      cases.add(new Case(name + "-no-weight", spec, 5, false, false, false, 1));
      cases.add(new Case(name + "-bias", spec, 5, true, true, false, 1));
      cases.add(new Case(name + "-in-place", spec, 5, true, true, true, 1));
      cases.add(new Case(name + "-zeros", spec, 2, true, false, false, 0));
      cases.add(new Case(name + "-large", spec, 2, true, false, false, 1e15f));
      cases.add(new Case(name + "-small", spec, 2, true, false, false, 1e-4f));
      cases.add(new Case(name + "-no-rows", spec, 0, true, false, false, 1));
    }
    return cases.stream().map(c -> testCase(c.name, NormKernel.class, c.spec, () -> check(c)));
  }

  private void check(Case c) {
    // float sums of n terms of one sign and one square root: a few units, growing with sqrt(n).
    double tolerance = 0x1p-24 * (16 + 2 * Math.sqrt(c.spec.size()));
    Comparison.requireClose("out", run(reference(), c), run(device(), c), tolerance);
  }

  private float[] run(Device on, Case c) {
    CaseRandom random = new CaseRandom(c.name);
    int size = c.spec.size();
    try (Device.TensorArena arena = on.newArena()) {
      // One row more than is asked for: it must stay as it is.
      float[] values = random.floats((c.rows + 1) * size, c.magnitude);
      float[] before = random.floats((c.rows + 1) * size, 1);
      GuardedFloats x = GuardedFloats.of(on, arena, values, c.rows + 1, size);
      GuardedFloats out = c.inPlace ? x : GuardedFloats.of(on, arena, before, c.rows + 1, size);
      GuardedFloats weight = GuardedFloats.of(on, arena, random.floats(size, 1), size);
      GuardedFloats bias = GuardedFloats.of(on, arena, random.floats(size, 1), size);
      kernel(on, NormKernel.class)
          .run(
              c.spec,
              x.tensor(),
              c.rows,
              c.weight ? weight.tensor() : null,
              c.bias ? bias.tensor() : null,
              out.tensor());
      float[] result = out.read();
      float[] last = c.inPlace ? values : before;
      for (int i = c.rows * size; i < result.length; i++) {
        if (result[i] != last[i]) {
          throw new AssertionError("the row after the last one changed at element " + i);
        }
      }
      return result;
    }
  }
}
