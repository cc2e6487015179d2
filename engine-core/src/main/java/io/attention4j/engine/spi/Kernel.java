package io.attention4j.engine.spi;

/**
 * A computation that a device offers.
 *
 * @param <S> what the kernel must know to accept work
 */
public interface Kernel<S> {
  /** Whether this kernel takes the spec and, if not, why. */
  Support supports(S spec);
}
