package io.attention4j.testkit;

import io.attention4j.engine.spi.CausalConvKernel;
import io.attention4j.engine.spi.CausalConvSpec;
import io.attention4j.engine.spi.Device;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Convolutions with their state against float64, whole and cut in calls. */
public abstract class CausalConvKernelContract extends KernelContract {
  private record Case(String name, int channels, int taps, int rows, int first, boolean biased) {}

  private record Result(float[] out, float[] state) {}

  /** For providers' test classes. */
  protected CausalConvKernelContract() {
    super("causal-conv");
  }

  @TestFactory
  final Stream<DynamicTest> cases() {
    List<Case> cases = new ArrayList<>();
    for (int channels : new int[] {1, 7, 16, 255, 256, 257, 600}) {
      cases.add(new Case("channels" + channels, channels, 4, 9, 4, true));
    }
    for (int taps : new int[] {1, 2, 3, 5}) {
      cases.add(new Case("taps" + taps, 33, taps, 8, 3, false));
    }
    cases.add(new Case("decode", 300, 4, 1, 1, true));
    cases.add(new Case("shorter-than-state", 33, 6, 2, 1, true));
    cases.add(new Case("long", 64, 4, 300, 100, true));
    cases.add(new Case("no-rows", 33, 4, 0, 0, true));
    return cases.stream()
        .map(
            c ->
                testCase(
                    c.name,
                    CausalConvKernel.class,
                    new CausalConvSpec(c.channels, c.taps),
                    () -> check(c)));
  }

  private void check(Case c) {
    Result expected = run(reference(), c);
    Result actual = run(device(), c);
    double tolerance = 0x1p-24 * (2 + c.taps); // a sum of that many products
    Comparison.requireClose("out", expected.out, actual.out, tolerance);
    Comparison.requireSameBits("state", expected.state, actual.state);
  }

  private Result run(Device on, Case c) {
    CaseRandom random = new CaseRandom(c.name);
    float[] nans = new float[c.rows * c.channels];
    Arrays.fill(nans, Float.NaN);
    float[] inputs = random.floats(nans.length, 1);
    float[] weights = random.floats(c.channels * c.taps, 1);
    float[] biases = random.floats(c.channels, 1);
    float[] past = random.floats(c.channels * (c.taps - 1), 1);
    try (Device.TensorArena arena = on.newArena()) {
      GuardedFloats x = GuardedFloats.of(on, arena, inputs, c.rows, c.channels);
      GuardedFloats weight = GuardedFloats.of(on, arena, weights, c.channels, c.taps);
      GuardedFloats bias = GuardedFloats.of(on, arena, biases, c.channels);
      GuardedFloats state = GuardedFloats.of(on, arena, past, c.channels, c.taps - 1);
      GuardedFloats out = GuardedFloats.of(on, arena, nans, c.rows, c.channels);
      CausalConvSpec spec = new CausalConvSpec(c.channels, c.taps);
      CausalConvKernel kernel = kernel(on, CausalConvKernel.class);
      int[] cuts = {0, c.first, c.rows};
      for (int i = 0; i < 2; i++) {
        kernel.run(
            spec,
            x.tensor(),
            cuts[i],
            cuts[i + 1] - cuts[i],
            weight.tensor(),
            c.biased ? bias.tensor() : null,
            c.taps == 1 ? null : state.tensor(),
            out.tensor());
      }
      return new Result(out.read(), state.read());
    }
  }
}
