package io.attention4j.testkit;

import io.attention4j.engine.spi.AttentionKernel;
import io.attention4j.engine.spi.AttentionPlan;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * Every case of {@link AttentionCases} against float64, each run twice with one plan: the second
 * run must repeat the bits of the first.
 */
public abstract class AttentionKernelContract extends KernelContract {
  /** For providers' test classes. */
  protected AttentionKernelContract() {
    super("attention");
  }

  @TestFactory
  final Stream<DynamicTest> cases() {
    return AttentionCases.all().stream()
        .map(c -> testCase(c.name(), AttentionKernel.class, c.spec(), () -> check(c)));
  }

  private void check(AttentionCase attentionCase) {
    AttentionData data = attentionCase.data();
    AttentionFixture.Result expected = AttentionFixture.evaluate(reference(), data);
    AttentionKernel kernel = kernel(device(), AttentionKernel.class);
    try (AttentionFixture fixture = new AttentionFixture(device(), data);
        AttentionPlan plan = kernel.plan(data.spec())) {
      AttentionFixture.Result actual = fixture.run(plan);
      requireClose(data, expected, actual);
      AttentionFixture.Result again = fixture.run(plan);
      Comparison.requireSameBits("out of a second run", actual.out(), again.out());
      if (actual.lse() != null) {
        Comparison.requireSameBits("lse of a second run", actual.lse(), again.lse());
      }
    }
  }

  /** Compares out, then lse, within the tolerance of the problem. */
  static void requireClose(
      AttentionData data, AttentionFixture.Result expected, AttentionFixture.Result actual) {
    double tolerance = data.relativeTolerance();
    float[] out = expected.out();
    double largest = 0;
    for (float value : out) {
      largest = Float.isFinite(value) ? Math.max(largest, Math.abs(value)) : largest;
    }
    Comparison.requireClose("out", out, actual.out(), 4 * tolerance * largest, tolerance);
    if (expected.lse() != null) {
      double largestLse = 0;
      for (float value : expected.lse()) {
        largestLse = Math.max(largestLse, Float.isFinite(value) ? Math.abs(value) : 0);
      }
      // An lse moves by as much as the scores, which the tolerance covers, and rounds to float.
      double bound = tolerance + Math.ulp((float) largestLse);
      Comparison.requireWithin("lse", expected.lse(), actual.lse(), bound);
    }
  }
}
