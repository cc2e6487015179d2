package io.attention4j.kernels.cpu.attention;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.Mask;

/**
 * The interval of key positions that a mask can show to a row, and whether the interval is the
 * whole truth. Positions are relative to the first row of the sequence and clamped to {@link #FAR},
 * so that a vector of them is a vector of ints.
 *
 * @param mask the mask
 * @param exact whether every key inside the interval is visible; otherwise {@link
 *     io.attention4j.engine.attention.Masks#visible} decides inside
 */
public record MaskBounds(Mask mask, boolean exact) {
  /** Farther away than any key that is distinguished. */
  public static final int FAR = 1 << 30;

  /** Compiles a mask. */
  public static MaskBounds of(Mask mask) {
    return new MaskBounds(mask, isInterval(mask));
  }

  private static boolean isInterval(Mask mask) {
    return switch (mask) {
      case Mask.All all -> true;
      case Mask.Causal causal -> true;
      case Mask.Window window -> true;
      case Mask.Prefix prefix -> true;
      case Mask.AllOf all -> all.parts().stream().allMatch(MaskBounds::isInterval);
      default -> false;
    };
  }

  /** Whether the mask is, or contains, code. */
  public static boolean isCustom(Mask mask) {
    return switch (mask) {
      case Mask.Custom custom -> true;
      case Mask.AllOf all -> all.parts().stream().anyMatch(MaskBounds::isCustom);
      case Mask.AnyOf any -> any.parts().stream().anyMatch(MaskBounds::isCustom);
      default -> false;
    };
  }

  /** A position relative to the sequence's first row, clamped. */
  public static int relative(AttentionBatch batch, int sequence, long position) {
    return clamp(position - batch.firstPosition(sequence));
  }

  /** Lowest relative key position that the row may see. */
  public int first(AttentionBatch batch, int sequence, int row) {
    return first(mask, batch, sequence, row);
  }

  /** Highest relative key position that the row may see. */
  public int last(AttentionBatch batch, int sequence, int row) {
    return last(mask, batch, sequence, row);
  }

  private static int first(Mask mask, AttentionBatch batch, int sequence, int row) {
    switch (mask) {
      case Mask.Window window:
        return window.left() == Mask.Window.UNBOUNDED ? -FAR : clamp(row - window.left());
      case Mask.AllOf all:
        int latest = -FAR;
        for (int i = 0; i < all.parts().size(); i++) {
          latest = Math.max(latest, first(all.parts().get(i), batch, sequence, row));
        }
        return latest;
      case Mask.AnyOf any:
        int earliest = FAR;
        for (int i = 0; i < any.parts().size(); i++) {
          earliest = Math.min(earliest, first(any.parts().get(i), batch, sequence, row));
        }
        return earliest;
      default:
        return -FAR;
    }
  }

  private static int last(Mask mask, AttentionBatch batch, int sequence, int row) {
    switch (mask) {
      case Mask.Causal causal:
        return row;
      case Mask.Window window:
        return window.right() == Mask.Window.UNBOUNDED ? FAR : clamp(row + window.right());
      case Mask.Prefix prefix:
        long prefixEnd = batch.prefixLength(sequence) - 1 - batch.firstPosition(sequence);
        return Math.max(row, clamp(prefixEnd));
      case Mask.AllOf all:
        int earliest = FAR;
        for (int i = 0; i < all.parts().size(); i++) {
          earliest = Math.min(earliest, last(all.parts().get(i), batch, sequence, row));
        }
        return earliest;
      case Mask.AnyOf any:
        int latest = -FAR;
        for (int i = 0; i < any.parts().size(); i++) {
          latest = Math.max(latest, last(any.parts().get(i), batch, sequence, row));
        }
        return latest;
      default:
        return FAR;
    }
  }

  private static int clamp(long distance) {
    return (int) Math.max(-FAR, Math.min(FAR, distance));
  }
}
