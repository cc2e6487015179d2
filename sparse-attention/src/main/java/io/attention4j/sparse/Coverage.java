package io.attention4j.sparse;

import io.attention4j.engine.attention.Mask;

/** How much of a rectangle of (row, key) positions a mask shows. */
enum Coverage {
  /** No pair. */
  NONE,
  /** Some pairs, or unknown. */
  SOME,
  /** Every pair. */
  ALL;

  /** Of rows [firstRow, lastRow] and keys [firstKey, lastKey], all positions, ends included. */
  static Coverage of(Mask mask, long firstRow, long lastRow, long firstKey, long lastKey) {
    return switch (mask) {
      case Mask.All all -> ALL;
      case Mask.Causal causal -> of(lastKey <= firstRow, firstKey > lastRow);
      case Mask.Window window ->
          of(
              lastRow - firstKey <= window.left() && lastKey - firstRow <= window.right(),
              firstRow - lastKey > window.left() || firstKey - lastRow > window.right());
      case Mask.Global global ->
          of(
              lastKey < global.tokens() || lastRow < global.tokens(),
              firstKey >= global.tokens() && firstRow >= global.tokens());
      case Mask.AllOf parts -> {
        Coverage least = ALL;
        for (int i = 0; i < parts.parts().size(); i++) {
          Coverage part = of(parts.parts().get(i), firstRow, lastRow, firstKey, lastKey);
          least = part.compareTo(least) < 0 ? part : least;
        }
        yield least;
      }
      case Mask.AnyOf parts -> {
        Coverage most = NONE;
        for (int i = 0; i < parts.parts().size(); i++) {
          Coverage part = of(parts.parts().get(i), firstRow, lastRow, firstKey, lastKey);
          most = part.compareTo(most) > 0 ? part : most;
        }
        yield most;
      }
      default -> SOME;
    };
  }

  private static Coverage of(boolean all, boolean none) {
    return all ? ALL : none ? NONE : SOME;
  }
}
