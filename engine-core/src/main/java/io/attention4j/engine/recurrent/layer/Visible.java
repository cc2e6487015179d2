package io.attention4j.engine.recurrent.layer;

/** Which keys a query sees. */
@FunctionalInterface
interface Visible {
  /** Whether the query of a row sees a key. */
  boolean sees(int row, int key);
}
