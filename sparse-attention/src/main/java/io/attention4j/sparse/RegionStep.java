package io.attention4j.sparse;

import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.tensor.Tensor;
import java.util.List;

/**
 * A step of one sequence as a {@link RegionMethod} sees it.
 *
 * @param shape of the layer
 * @param kernels that take the parts
 * @param state of the sequence; the step's keys, values and queries are in it
 * @param pages the cache's keys and values as sequence 0
 * @param q rotated queries of the rows, F32 [rows, queryHeads, headDim]
 * @param from position of the first row
 * @param to position after the last row, which is the sequence's length
 */
record RegionStep(
    LayerShape shape,
    RegionKernels kernels,
    RegionState state,
    PagedKv pages,
    Tensor q,
    int from,
    int to) {
  SummaryPages store(int index) {
    return state.stores().get(index);
  }

  /** Adds rows [first, end) by position, as far as the step has them; says whether any. */
  boolean rows(KeyGroups groups, long first, long end) {
    int begin = (int) Math.max(first, from);
    int stop = (int) Math.min(end, to);
    for (int p = begin; p < stop; p++) {
      groups.row(p - from);
    }
    return begin < stop;
  }

  /** Ends a group that all query heads share. */
  void end(KeyGroups groups) {
    groups.endShared(0, 0, shape.queryHeads());
  }

  void add(RegionKernels.Sees sees, KeyGroups groups) {
    kernels.add(pages, from, sees, groups);
  }

  void add(int store, RegionKernels.Sees sees, KeyGroups groups) {
    kernels.add(List.of(store(store)), from, sees, groups);
  }
}
