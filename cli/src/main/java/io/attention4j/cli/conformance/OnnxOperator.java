package io.attention4j.cli.conformance;

import io.attention4j.engine.runtime.KernelSelector;
import java.util.Map;

/** Computes the outputs of one ONNX operator with kernels. */
@FunctionalInterface
interface OnnxOperator {
  /**
   * Outputs by formal parameter, row-major; those that no kernel gives are left out.
   *
   * @throws IllegalArgumentException if the case is malformed or a kernel refuses it
   * @throws SkippedCaseException if the operator is known but not this form of it
   */
  Map<String, double[]> compute(OnnxCase onnxCase, KernelSelector kernels);
}
