package io.attention4j.engine.attention;

/** Which keys a layer attends to, before the mask. */
public sealed interface Selection {
  /** Every key. */
  Selection NONE = new None();

  /** Every key. */
  record None() implements Selection {}

  /** Blocks of keys. */
  record Blocks(BlockMask mask) implements Selection {}

  /** Lists of keys. */
  record Gathered(GatheredKeys keys) implements Selection {}
}
