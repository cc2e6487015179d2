package io.attention4j.sparse;

/** A selector that remembers more of a sequence than means, and sees queries as they were. */
interface GatedSelector extends BlockSelector {
  /** What a new, empty sequence starts with. */
  KeyMemory newMemory();
}
