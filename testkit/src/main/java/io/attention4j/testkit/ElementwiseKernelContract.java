package io.attention4j.testkit;

import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.ElementwiseKernel;
import java.util.Locale;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Element-wise operations against float64. */
public abstract class ElementwiseKernelContract extends KernelContract {
  /** For providers' test classes. */
  protected ElementwiseKernelContract() {
    super("elementwise");
  }

  @TestFactory
  final Stream<DynamicTest> cases() {
    return Stream.of(ElementwiseKernel.Operation.values())
        .flatMap(
            operation ->
                IntStream.of(0, 1, 7, 8, 17, 207, 4097)
                    .mapToObj(elements -> testCase(operation, elements)));
  }

  private DynamicTest testCase(ElementwiseKernel.Operation operation, int elements) {
    String name = operation.name().toLowerCase(Locale.ROOT).replace('_', '-') + "-" + elements;
    return testCase(
        name,
        ElementwiseKernel.class,
        operation,
        () -> {
          // One rounding, or a tanh of a few units, of values below 300.
          float[] expected = run(reference(), name, operation, elements);
          float[] actual = run(device(), name, operation, elements);
          Comparison.requireClose("x", expected, actual, 1e-6);
        });
  }

  private float[] run(Device on, String name, ElementwiseKernel.Operation operation, int elements) {
    CaseRandom random = new CaseRandom(name);
    try (Device.TensorArena arena = on.newArena()) {
      GuardedFloats x = GuardedFloats.of(on, arena, random.floats(elements + 1, 100), elements + 1);
      GuardedFloats y = GuardedFloats.of(on, arena, random.floats(elements + 1, 3), elements + 1);
      boolean binary =
          operation == ElementwiseKernel.Operation.ADD
              || operation == ElementwiseKernel.Operation.MULTIPLY;
      kernel(on, ElementwiseKernel.class)
          .run(operation, x.tensor(), binary ? y.tensor() : null, 30, elements);
      return x.read();
    }
  }
}
