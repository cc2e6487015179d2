package io.attention4j.testkit;

import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.MatmulKernel;
import io.attention4j.engine.spi.MatmulSpec;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Matrix products of every weight type against float64 on the decoded weights. */
public abstract class MatmulKernelContract extends KernelContract {
  private record Case(
      String name, DType type, int rows, int in, int[] outs, boolean bias, boolean accumulate) {}

  /** For providers' test classes. */
  protected MatmulKernelContract() {
    super("matmul");
  }

  /**
   * Error that a kernel may have relative to the norm of the products. The default is that of float
   * sums; a kernel that rounds its inputs (to 8-bit codes, say) overrides it and says why.
   */
  protected double relativeTolerance(DType type, int inFeatures) {
    return 0x1p-24 * (16 + 4 * Math.sqrt(inFeatures));
  }

  @TestFactory
  final Stream<DynamicTest> cases() {
    List<Case> cases = new ArrayList<>();
    for (DType type : WeightCase.TYPES) {
      String name = type.name().toLowerCase(Locale.ROOT);
      int[] widths =
          type.blockSize() == 256
              ? new int[] {256, 768}
              : type.isBlocked() ? new int[] {32, 96, 512} : new int[] {1, 13, 64, 207};
      for (int in : widths) {
        for (int rows : new int[] {1, 2, 17}) {
          String shape = name + "-in" + in + "-rows" + rows;
          cases.add(new Case(shape, type, rows, in, new int[] {33}, false, false));
        }
      }
      int in = type.blockSize() == 256 ? 512 : 64;
      cases.add(new Case(name + "-one-output", type, 1, in, new int[] {1}, false, false));
      cases.add(new Case(name + "-many-outputs", type, 1, in, new int[] {700}, false, false));
      cases.add(new Case(name + "-many-rows", type, 67, in, new int[] {65}, false, false));
      cases.add(
          new Case(name + "-three-weights", type, 1, in, new int[] {48, 16, 5}, false, false));
      cases.add(
          new Case(name + "-three-weights-rows5", type, 5, in, new int[] {48, 16, 5}, true, false));
      cases.add(new Case(name + "-bias", type, 3, in, new int[] {33}, true, false));
      cases.add(new Case(name + "-accumulate", type, 3, in, new int[] {33}, false, true));
      cases.add(new Case(name + "-accumulate-bias", type, 1, in, new int[] {33}, true, true));
      cases.add(new Case(name + "-no-rows", type, 0, in, new int[] {33}, false, false));
    }
    return cases.stream()
        .map(
            c ->
                testCase(
                    c.name,
                    MatmulKernel.class,
                    new MatmulSpec(c.type, c.outs[0], c.in),
                    () -> check(c)));
  }

  private void check(Case c) {
    List<float[]> expected = run(reference(), c);
    List<float[]> actual = run(device(), c);
    double tolerance = relativeTolerance(c.type, c.in);
    for (int i = 0; i < expected.size(); i++) {
      double largest = 0;
      for (float value : expected.get(i)) {
        largest = Math.max(largest, Math.abs(value));
      }
      // A single output may cancel: its error is bounded by the largest one's.
      Comparison.requireClose(
          "output " + i,
          expected.get(i),
          actual.get(i),
          4 * tolerance * largest + 0x1p-22,
          2 * tolerance);
    }
  }

  private List<float[]> run(Device on, Case c) {
    CaseRandom random = new CaseRandom(c.name);
    try (Device.TensorArena arena = on.newArena()) {
      // Weights are host tensors for every device.
      try (Device.TensorArena host = reference().newArena()) {
        List<Tensor> weights = new ArrayList<>();
        List<Tensor> biases = new ArrayList<>();
        List<GuardedFloats> outputs = new ArrayList<>();
        for (int i = 0; i < c.outs.length; i++) {
          int out = c.outs[i];
          weights.add(WeightCase.matrix(reference(), host, random, c.type, out, c.in));
          float[] bias = random.floats(out, 1);
          // One of several weights has no bias.
          boolean biased = c.bias && (c.outs.length == 1 || i != 1);
          biases.add(biased ? GuardedFloats.of(reference(), host, bias, out).tensor() : null);
          // A row more than is asked for: it must stay as it is.
          float[] before = random.floats((c.rows + 1) * out, 1);
          outputs.add(GuardedFloats.of(on, arena, before, c.rows + 1, out));
        }
        float[] values = random.floats((c.rows + 1) * c.in, 1);
        Arrays.fill(values, c.rows * c.in, values.length, Float.NaN);
        GuardedFloats x = GuardedFloats.of(on, arena, values, c.rows + 1, c.in);
        Tensor[] targets = outputs.stream().map(GuardedFloats::tensor).toArray(Tensor[]::new);
        try (MatmulKernel.MatmulPlan plan =
            kernel(on, MatmulKernel.class).plan(weights, c.bias ? biases : null)) {
          plan.run(x.tensor(), c.rows, targets, c.accumulate);
          long bytes = weights.stream().mapToLong(Tensor::byteSize).sum();
          if (plan.weightBytes() < bytes / 2) {
            throw new AssertionError("weightBytes " + plan.weightBytes() + " for " + bytes);
          }
        }
        return outputs.stream().map(GuardedFloats::read).toList();
      }
    }
  }
}
