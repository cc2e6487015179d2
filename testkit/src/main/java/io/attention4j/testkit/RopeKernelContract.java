package io.attention4j.testkit;

import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.RopeKernel;
import io.attention4j.engine.spi.RopeSpec;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Rotations against float64. */
public abstract class RopeKernelContract extends KernelContract {
  private record Case(String name, RopeSpec spec, int rows, int heads) {}

  /** For providers' test classes. */
  protected RopeKernelContract() {
    super("rope");
  }

  @TestFactory
  final Stream<DynamicTest> cases() {
    List<Case> cases = new ArrayList<>();
    int[][] dims = {
      {2, 2}, {8, 8}, {40, 40}, {64, 64}, {128, 128}, {64, 32}, {80, 20}, {13, 6}, {8, 0}
    };
    for (RopeSpec.Layout layout : RopeSpec.Layout.values()) {
      for (int[] dim : dims) {
        String name =
            layout.name().toLowerCase().replace('_', '-') + "-" + dim[1] + "-of-" + dim[0];
        RopeSpec spec = new RopeSpec(dim[0], dim[1], layout);
        cases.add(new Case(name + "-decode", spec, 1, 3));
        cases.add(new Case(name + "-prefill", spec, 7, 2));
      }
    }
    return cases.stream().map(c -> testCase(c.name, RopeKernel.class, c.spec, () -> check(c)));
  }

  private void check(Case c) {
    // Two products and a sum in float; |x|, |cos| and |sin| are at most 1.
    Comparison.requireWithin("x", run(reference(), c), run(device(), c), 4 * 0x1p-24);
  }

  private float[] run(Device on, Case c) {
    CaseRandom random = new CaseRandom(c.name);
    int pairs = c.spec.rotaryDim() / 2;
    int dim = c.spec.headDim();
    try (Device.TensorArena arena = on.newArena()) {
      float[] values = random.floats((c.rows + 1) * c.heads * dim, 1);
      float[] cos = new float[c.rows * pairs];
      float[] sin = new float[c.rows * pairs];
      float[] angles = random.floats(c.rows * pairs, 10);
      for (int i = 0; i < angles.length; i++) {
        cos[i] = (float) Math.cos(angles[i]);
        sin[i] = (float) Math.sin(angles[i]);
      }
      GuardedFloats x = GuardedFloats.of(on, arena, values, c.rows + 1, c.heads, dim);
      kernel(on, RopeKernel.class)
          .run(
              c.spec,
              x.tensor(),
              c.rows,
              GuardedFloats.of(on, arena, cos, c.rows, pairs).tensor(),
              GuardedFloats.of(on, arena, sin, c.rows, pairs).tensor());
      float[] result = x.read();
      for (int i = 0; i < result.length; i++) {
        boolean rotated = i < c.rows * c.heads * dim && i % dim < c.spec.rotaryDim();
        if (!rotated && result[i] != values[i]) {
          throw new AssertionError("element " + i + " is not rotated but changed");
        }
      }
      return result;
    }
  }
}
