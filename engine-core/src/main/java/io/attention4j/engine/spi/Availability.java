package io.attention4j.engine.spi;

/** Whether a provider can run on this machine. */
public sealed interface Availability {
  /** It can; {@code description} names what it found, such as "AVX-512, 512-bit vectors". */
  record Available(String description) implements Availability {}

  /** It cannot; one sentence says why and what would help. */
  record Unavailable(String reason) implements Availability {}
}
