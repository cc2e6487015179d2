package io.attention4j.sparse;

/**
 * A layer that says how long it has chosen keys: everything of {@link
 * io.attention4j.engine.operator.AttentionLayer#attend} but rotation, the cache and the attention
 * kernels with their merges. For measurements.
 */
public interface SelectionClock {
  /** Nanoseconds since the layer was opened. */
  long selectionNanos();
}
