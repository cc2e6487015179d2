package io.attention4j.kernels.opencl;

import io.attention4j.engine.spi.Availability;
import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.extension.ExecutionCondition;
import org.junit.jupiter.api.extension.ExtensionContext;

/** Skips a test class, aloud, on machines without an OpenCL device. */
final class NeedsOpenCl implements ExecutionCondition {
  @Override
  public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
    return switch (new OpenClProvider().availability()) {
      case Availability.Available found -> ConditionEvaluationResult.enabled(found.description());
      case Availability.Unavailable no -> {
        System.out.println("SKIPPED " + context.getDisplayName() + ": " + no.reason());
        yield ConditionEvaluationResult.disabled(no.reason());
      }
    };
  }
}
