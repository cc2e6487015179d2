package io.attention4j.testkit;

/** How the elements of a rank-3 tensor [rows, heads, dim] lie in its buffer. */
public enum Layout {
  /** Without gaps. */
  CONTIGUOUS,
  /** Some heads of a wider row, as q in a fused [rows, q + k + v] buffer. */
  HEAD_SLICE,
  /** Some elements of wider heads; the first element is on no vector boundary. */
  DIM_SLICE
}
