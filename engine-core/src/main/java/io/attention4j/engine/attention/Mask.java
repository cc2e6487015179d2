package io.attention4j.engine.attention;

import java.util.List;

/**
 * Which keys a query row may see, as data. A key that is not allowed has weight exactly 0. Masks
 * speak of <em>positions</em>: a row's position comes from {@link AttentionBatch#firstPosition}, a
 * key's from its {@link KvPage}. Bottom-right and top-left causal alignment differ only in the
 * first position that the batch gives ({@code keyLength - rows} or 0).
 */
public sealed interface Mask {
  /** Every key is visible. */
  record All() implements Mask {}

  /** Keys at or before the row: keyPosition &lt;= queryPosition. */
  record Causal() implements Mask {}

  /**
   * queryPosition - left &lt;= keyPosition &lt;= queryPosition + right. {@link #UNBOUNDED} opens a
   * side. A causal sliding window of w tokens is {@code Window(w - 1, 0)}.
   */
  record Window(long left, long right) implements Mask {
    /** No limit on this side. */
    public static final long UNBOUNDED = Long.MAX_VALUE;

    /** Checks the ranges. */
    public Window {
      if (left < 0 || right < 0) {
        throw new IllegalArgumentException(
            "window ("
                + left
                + ", "
                + right
                + ") must not be negative; use UNBOUNDED for an open side");
      }
    }
  }

  /** Causal, but keys before {@link AttentionBatch#prefixLength} are visible to every row. */
  record Prefix() implements Mask {}

  /**
   * The row or the key is one of the first {@code tokens} positions: global tokens and attention
   * sinks. Joined by {@link AnyOf} to a window, and by {@link AllOf} to {@link Causal}.
   */
  record Global(long tokens) implements Mask {
    /** Checks the range. */
    public Global {
      if (tokens < 0) {
        throw new IllegalArgumentException(
            tokens + " global tokens must not be negative; use 0 for none");
      }
    }
  }

  /**
   * Row and key belong to the same document: {@link AttentionBatch#documents} at both positions.
   */
  record Document() implements Mask {}

  /**
   * An explicit mask, {@link AttentionBatch#maskBits}: I8 [sequences|1, queryHeads|1, rows|1,
   * keys], 0 = hidden, indexed by row and key slot of the sequence; keys past its last column are
   * hidden.
   */
  record Bits() implements Mask {}

  /** Visible where every part allows it. */
  record AllOf(List<Mask> parts) implements Mask {
    /** Copies the list. */
    public AllOf {
      parts = List.copyOf(parts);
    }
  }

  /** Visible where some part allows it. */
  record AnyOf(List<Mask> parts) implements Mask {
    /** Copies the list. */
    public AnyOf {
      parts = List.copyOf(parts);
    }
  }

  /** Code decides. Only slow kernels take it. */
  record Custom(Visibility visibility) implements Mask {}

  /** Decides one pair; must be pure and thread-safe. */
  @FunctionalInterface
  interface Visibility {
    /** Whether the row at queryPosition sees the key at keyPosition. */
    boolean visible(int sequence, int queryHead, long queryPosition, long keyPosition);
  }
}
