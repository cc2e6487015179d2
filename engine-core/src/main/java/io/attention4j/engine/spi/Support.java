package io.attention4j.engine.spi;

/** Whether a kernel takes a spec. */
public sealed interface Support {
  /** It does. */
  Support YES = new Yes();

  /** It does. */
  record Yes() implements Support {}

  /** It does not; the reason names the field and the value. */
  record No(String reason) implements Support {}

  /** A refusal. */
  static Support no(String reason) {
    return new No(reason);
  }
}
