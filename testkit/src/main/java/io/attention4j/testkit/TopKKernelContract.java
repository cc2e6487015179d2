package io.attention4j.testkit;

import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.TopKKernel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntFunction;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** The highest elements of rows: the same indices and the same bits as the reference. */
public abstract class TopKKernelContract extends KernelContract {
  private static final float[] SPECIAL = {
    0f, -0f, Float.NEGATIVE_INFINITY, Float.MIN_VALUE, -Float.MIN_VALUE, 1f, -1f, Float.MAX_VALUE
  };

  private record Case(String name, int rows, int size, int k, IntFunction<Float> values) {}

  /** For providers' test classes. */
  protected TopKKernelContract() {
    super("top-k");
  }

  @TestFactory
  final Stream<DynamicTest> cases() {
    List<Case> cases = new ArrayList<>();
    for (int size : new int[] {1, 7, 63, 64, 65, 1023, 1024, 1025, 4097, 40_000}) {
      for (int k : new int[] {1, 2, 40, 100}) {
        if (k <= size) {
          cases.add(new Case("size" + size + "-k" + k, size > 5000 ? 1 : 3, size, k, null));
        }
      }
    }
    cases.add(new Case("everything", 2, 100, 100, null));
    cases.add(new Case("no-rows", 0, 33, 1, null));
    cases.add(new Case("equal", 2, 3000, 5, i -> 1f));
    cases.add(new Case("all-hidden", 2, 3000, 3, i -> Float.NEGATIVE_INFINITY));
    cases.add(new Case("few-values", 2, 3000, 70, i -> SPECIAL[i % SPECIAL.length]));
    cases.add(new Case("zeros", 1, 40, 6, i -> i % 2 == 0 ? -0f : 0f));
    cases.add(new Case("a-nan", 2, 3000, 3, i -> i == 1234 ? Float.NaN : i % 7));
    cases.add(
        new Case("an-infinity", 2, 3000, 3, i -> i == 2999 ? Float.POSITIVE_INFINITY : i % 7));
    cases.add(new Case("ascending", 1, 3000, 9, i -> (float) i));
    cases.add(new Case("descending", 1, 3000, 9, i -> (float) -i));
    return cases.stream().map(c -> testCase(c.name, TopKKernel.class, c.k, () -> check(c)));
  }

  private record Found(int[] indices, float[] values) {}

  private void check(Case c) {
    Found expected = run(reference(), c);
    Found actual = run(device(), c);
    if (!Arrays.equals(expected.indices, actual.indices)) {
      throw new AssertionError(
          "indices are "
              + Arrays.toString(actual.indices)
              + " instead of "
              + Arrays.toString(expected.indices));
    }
    for (int i = 0; i < expected.values.length; i++) {
      // A zero may have lost its sign.
      if (Float.compare(expected.values[i] + 0f, actual.values[i] + 0f) != 0) {
        throw new AssertionError(
            "value " + i + " is " + actual.values[i] + " instead of " + expected.values[i]);
      }
    }
  }

  private Found run(Device on, Case c) {
    CaseRandom random = new CaseRandom(c.name);
    float[] values = random.floats(c.rows * c.size, 5);
    for (int i = 0; i < values.length && c.values != null; i++) {
      values[i] = c.values.apply(i % c.size);
    }
    // One more than needed, which must stay.
    Found found = new Found(new int[c.rows * c.k + 1], new float[c.rows * c.k + 1]);
    Arrays.fill(found.indices, -1);
    Arrays.fill(found.values, Float.NaN);
    try (Device.TensorArena arena = on.newArena()) {
      GuardedFloats x = GuardedFloats.of(on, arena, values, c.rows, c.size);
      kernel(on, TopKKernel.class)
          .run(x.tensor(), c.rows, c.size, c.k, found.indices, found.values);
      x.read();
      return found;
    }
  }
}
