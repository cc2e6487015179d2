package io.attention4j.cli.conformance;

/** A case of a known operator in a form that the kernel API does not express; says which. */
final class SkippedCaseException extends RuntimeException {
  private static final long serialVersionUID = 1;

  SkippedCaseException(String reason) {
    super(reason);
  }
}
