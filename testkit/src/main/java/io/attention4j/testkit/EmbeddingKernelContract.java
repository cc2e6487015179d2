package io.attention4j.testkit;

import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.EmbeddingKernel;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Embedding rows of every weight type; decoding must be exact up to one rounding. */
public abstract class EmbeddingKernelContract extends KernelContract {
  /** For providers' test classes. */
  protected EmbeddingKernelContract() {
    super("embedding");
  }

  @TestFactory
  final Stream<DynamicTest> cases() {
    List<DynamicTest> tests = new ArrayList<>();
    for (DType type : WeightCase.TYPES) {
      int[] dims = type.isBlocked() ? new int[] {256, 512} : new int[] {1, 13, 64, 207};
      for (int dim : dims) {
        String name = type.name().toLowerCase(Locale.ROOT) + "-dim" + dim;
        tests.add(testCase(name, EmbeddingKernel.class, type, () -> check(name, type, dim)));
      }
    }
    return tests.stream();
  }

  private void check(String name, DType type, int dim) {
    // A product and a sum per element: scale * code + minimum, in float.
    float[] expected = run(reference(), name, type, dim);
    Comparison.requireClose("out", expected, run(device(), name, type, dim), 4 * 0x1p-24);
  }

  private float[] run(Device on, String name, DType type, int dim) {
    CaseRandom random = new CaseRandom(name);
    try (Device.TensorArena arena = on.newArena()) {
      Tensor table = WeightCase.matrix(on, arena, random, type, 9, dim);
      GuardedFloats out = GuardedFloats.of(on, arena, random.floats(5 * dim, 1), 5, dim);
      kernel(on, EmbeddingKernel.class).run(table, new int[] {8, 0, 3, 3, 99}, 4, out.tensor());
      return out.read();
    }
  }
}
