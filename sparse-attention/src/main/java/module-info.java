/** Sparse and approximate attention operators. */
module io.attention4j.sparse {
  requires transitive io.attention4j.engine;

  exports io.attention4j.sparse;

  provides io.attention4j.engine.operator.OperatorProvider with
      io.attention4j.sparse.SparseOperators;
}
