package io.attention4j.testkit;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.ScoreModifier;
import io.attention4j.engine.attention.Selection;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * One attention problem on the host, before any device: a spec, what its sequences hold, and how
 * pages and tensors lie in memory. Metamorphic tests derive one problem from another.
 *
 * @param spec what the model fixes
 * @param sequences the batch, in order
 * @param bits {@link AttentionBatch#maskBits}, or null
 * @param bias {@link AttentionBatch#bias}, or null
 * @param selection of the spec's kind
 * @param pages how slots are cut into pages
 * @param layout how q and out lie in memory
 * @param seed name that seeds the placement of pages
 */
public record AttentionData(
    AttentionSpec spec,
    List<Sequence> sequences,
    Bits bits,
    Bias bias,
    Selection selection,
    Pages pages,
    Layout layout,
    String seed) {

  /**
   * One sequence of the batch.
   *
   * @param rows query rows
   * @param firstPosition position of the first row
   * @param q [rows, queryHeads, headDim]
   * @param heads what each KV head keeps
   * @param prefixLength for the prefix mask
   * @param documents document of each position, or null
   */
  public record Sequence(
      int rows,
      long firstPosition,
      float[] q,
      List<Head> heads,
      long prefixLength,
      int[] documents) {}

  /**
   * Keys that one KV head keeps, in slot order.
   *
   * @param k [keys, headDim]
   * @param v [keys, valueDim]
   * @param positions of the keys
   * @param explicitPositions whether pages list positions; else they must be consecutive
   * @param bias of the slots, or null
   */
  public record Head(
      float[] k, float[] v, long[] positions, boolean explicitPositions, float[] bias) {
    /** Slots. */
    public int keys() {
      return positions.length;
    }

    /** Slots from (inclusive) to (exclusive). */
    public Head slots(int from, int to) {
      int keyDim = keys() == 0 ? 0 : k.length / keys();
      int valueDim = keys() == 0 ? 0 : v.length / keys();
      return new Head(
          Arrays.copyOfRange(k, from * keyDim, to * keyDim),
          Arrays.copyOfRange(v, from * valueDim, to * valueDim),
          Arrays.copyOfRange(positions, from, to),
          explicitPositions,
          bias == null ? null : Arrays.copyOfRange(bias, from, to));
    }
  }

  /** A mask [sequences|1, queryHeads|1, rows|1, keys] of bytes, row-major. */
  public record Bits(byte[] values, long... extents) {}

  /** A bias [sequences|1, queryHeads|1, rows|1, keys|1] of floats, row-major. */
  public record Bias(float[] values, long... extents) {}

  /**
   * How slots are cut into pages.
   *
   * @param capacity slots per page; 0 = one page per head with a few slots to spare
   * @param partial whether pages in the middle may have unfilled slots
   * @param reversed whether the page list runs backwards (the order of keys must not matter)
   */
  public record Pages(int capacity, boolean partial, boolean reversed) {
    /** One page per head. */
    public static final Pages WHOLE = new Pages(0, false, false);

    /** Full pages of this many slots, the last one as it falls. */
    public static Pages of(int capacity) {
      return new Pages(capacity, false, false);
    }
  }

  /** Copies the list. */
  public AttentionData {
    sequences = List.copyOf(sequences);
  }

  /** Query rows of all sequences. */
  public int totalRows() {
    return sequences.stream().mapToInt(Sequence::rows).sum();
  }

  /** The same problem under another spec. */
  public AttentionData withSpec(AttentionSpec other) {
    return new AttentionData(other, sequences, bits, bias, selection, pages, layout, seed);
  }

  /** The same problem with these sequences. */
  public AttentionData withSequences(List<Sequence> others) {
    return new AttentionData(spec, others, bits, bias, selection, pages, layout, seed);
  }

  /** The same problem in other pages. */
  public AttentionData withPages(Pages other) {
    return new AttentionData(spec, sequences, bits, bias, selection, other, layout, seed);
  }

  /** The same problem with another selection, whose kind the spec must name. */
  public AttentionData withSelection(AttentionSpec other, Selection selected) {
    return new AttentionData(other, sequences, bits, bias, selected, pages, layout, seed);
  }

  /** The same problem with a score bias. */
  public AttentionData withBias(AttentionSpec other, Bias added) {
    return new AttentionData(other, sequences, bits, added, selection, pages, layout, seed);
  }

  /** Only slots [from, to) of every KV head. */
  public AttentionData slots(int from, int to) {
    List<Sequence> cut = new ArrayList<>();
    for (Sequence s : sequences) {
      List<Head> heads =
          s.heads.stream()
              .map(h -> h.slots(Math.min(from, h.keys()), Math.min(to, h.keys())))
              .toList();
      cut.add(new Sequence(s.rows, s.firstPosition, s.q, heads, s.prefixLength, s.documents));
    }
    return withSequences(cut);
  }

  /** Only rows [from, to) of every sequence, at their positions. */
  public AttentionData rows(int from, int to) {
    int width = spec.queryHeads() * spec.headDim();
    List<Sequence> cut = new ArrayList<>();
    for (Sequence s : sequences) {
      float[] q = Arrays.copyOfRange(s.q, from * width, to * width);
      cut.add(
          new Sequence(to - from, s.firstPosition + from, q, s.heads, s.prefixLength, s.documents));
    }
    return withSequences(cut);
  }

  /**
   * Relative error that a float32 kernel may have, from the sizes of the problem: the rounding of a
   * dot product of headDim terms, as large as the largest score's terms, moves the exponent; a sum
   * over all keys and a 2 ulp exponential add theirs. Random errors grow with the square root of
   * the number of terms; the constants leave room for a factor of about four over what plain float
   * loops show. Quantised pages add nothing: both sides read the same codes.
   */
  public double relativeTolerance() {
    long keys = 1;
    double largestScore = 0;
    for (Sequence s : sequences) {
      double q = largestNorm(s.q, spec.headDim());
      for (Head head : s.heads) {
        keys = Math.max(keys, head.keys());
        double score = Math.abs(spec.scale()) * q * largestNorm(head.k, spec.headDim());
        double added = largest(head.bias) + (bias == null ? 0 : largest(bias.values));
        largestScore = Math.max(largestScore, score + added + largestAlibi(s, head));
      }
    }
    double unit = 0x1p-24;
    double scoreError = unit * (4 + 2 * Math.sqrt(spec.headDim())) * largestScore;
    return 2 * scoreError + unit * (24 + 4 * Math.sqrt(keys));
  }

  private double largestAlibi(Sequence s, Head head) {
    double distance = 0;
    for (long position : head.positions) {
      double toFirst = Math.abs((double) s.firstPosition - position);
      double toLast = Math.abs((double) s.firstPosition + s.rows - position);
      distance = Math.max(distance, Math.max(toFirst, toLast));
    }
    double slope = 0;
    for (ScoreModifier modifier : spec.modifiers()) {
      if (modifier instanceof ScoreModifier.Alibi(List<Float> slopes)) {
        slope = slopes.stream().mapToDouble(Math::abs).max().orElse(0);
      }
    }
    return slope * distance;
  }

  private static double largestNorm(float[] vectors, int dim) {
    double largest = 0;
    for (int first = 0; first < vectors.length; first += dim) {
      double squares = 0;
      for (int i = first; i < first + dim; i++) {
        squares += (double) vectors[i] * vectors[i];
      }
      largest = Double.isFinite(squares) ? Math.max(largest, squares) : largest;
    }
    return Math.sqrt(largest);
  }

  private static double largest(float[] values) {
    double largest = 0;
    for (int i = 0; values != null && i < values.length; i++) {
      if (Float.isFinite(values[i])) {
        largest = Math.max(largest, Math.abs(values[i]));
      }
    }
    return largest;
  }

  /** Bytes of one page of keys or values, rounded up so that the next one starts at 16 bytes. */
  static long paddedPageBytes(KvFormat format, int capacity, int dim) {
    return (format.pageBytes(capacity, dim) + 15) & ~15L;
  }
}
