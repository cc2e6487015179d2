/** Sparse and approximate attention operators. */
module io.attention4j.sparse {
  requires transitive io.attention4j.engine;
}
