package io.attention4j.sparse;

import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.PagedKv;
import java.util.Arrays;

/**
 * Views of a cache's pages whose slots have a score bias: the pages themselves are the cache's to
 * change. Views are kept from step to step. Not thread-safe.
 */
final class BiasedPages {
  private final KvPage[][] views; // [kvHead][page]
  private final int[] filled; // [kvHead] tokens whose bias is there

  BiasedPages(int kvHeads) {
    views = new KvPage[kvHeads][0];
    filled = new int[kvHeads];
  }

  /** Puts views in the place of a sequence's pages; biases are [kvHead][token]. */
  void replace(PagedKv pages, int sequence, float[][] biases) {
    for (int h = 0; h < views.length; h++) {
      int count = pages.pageCount(sequence, h);
      if (views[h].length < count) {
        views[h] = Arrays.copyOf(views[h], Math.max(count, 2 * views[h].length));
      }
      int first = 0; // token at which the page begins
      for (int p = 0; p < count; p++) {
        KvPage page = pages.page(sequence, h, p);
        if (!isOf(views[h][p], page)) {
          // Biases belong to tokens, so they outlive the memory that the tokens' page had.
          views[h][p] = viewOf(page, views[h][p]);
        }
        KvPage view = views[h][p];
        view.length(page.length());
        view.firstPosition(page.firstPosition());
        for (int slot = Math.max(0, filled[h] - first); slot < page.length(); slot++) {
          view.bias()[slot] = biases[h][first + slot];
        }
        first += page.length();
      }
      filled[h] = first;
      pages.set(sequence, h, views[h], count);
    }
  }

  private static boolean isOf(KvPage view, KvPage page) {
    return view != null
        && view.keys() == page.keys()
        && view.keyOffset() == page.keyOffset()
        && view.values() == page.values()
        && view.valueOffset() == page.valueOffset()
        && view.capacity() == page.capacity();
  }

  private static KvPage viewOf(KvPage page, KvPage before) {
    KvPage view =
        new KvPage(
            page.capacity(),
            page.keys(),
            page.keyOffset(),
            page.keyFormat(),
            page.keyDim(),
            page.values(),
            page.valueOffset(),
            page.valueFormat(),
            page.valueDim());
    view.bias(
        before == null
            ? new float[page.capacity()]
            : Arrays.copyOf(before.bias(), page.capacity()));
    return view;
  }

  /** Forgets all biases, since tokens went away. */
  void forget() {
    Arrays.fill(filled, 0);
  }
}
