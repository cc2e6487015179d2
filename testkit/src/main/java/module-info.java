/** Attention cases and contract tests for kernel providers. */
module io.attention4j.testkit {
  exports io.attention4j.testkit;

  requires transitive io.attention4j.engine;
  requires transitive org.junit.jupiter.api;
}
