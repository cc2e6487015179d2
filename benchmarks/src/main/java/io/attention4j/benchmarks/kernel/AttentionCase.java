package io.attention4j.benchmarks.kernel;

import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.attention.Normalizer;
import java.util.Collections;
import java.util.List;

/**
 * Sizes and kind of one attention call.
 *
 * @param queryHeads query heads
 * @param kvHeads KV heads
 * @param headDim elements of a query, key and value
 * @param rows query rows of every sequence, its last ones
 * @param keys keys of each sequence
 * @param mask all keys, or the causal ones
 * @param normalizer softmax or sigmoid
 * @param format of keys and values
 * @param keptKeyBlocks key blocks that each query block of {@link #BLOCK} rows may see, drawn at
 *     random; 0 = no selection
 */
public record AttentionCase(
    int queryHeads,
    int kvHeads,
    int headDim,
    int rows,
    List<Integer> keys,
    Mask mask,
    Normalizer normalizer,
    KvFormat format,
    int keptKeyBlocks) {
  /** Rows and keys of a block of the block-sparse cases. */
  public static final int BLOCK = 128;

  /** Checks that blocks divide the sizes and that the mask can be counted. */
  public AttentionCase {
    keys = List.copyOf(keys);
    if (keptKeyBlocks > 0
        && (keys.size() != 1
            || rows % BLOCK != 0
            || keys.getFirst() % BLOCK != 0
            || keptKeyBlocks > keys.getFirst() / BLOCK
            || !(mask instanceof Mask.All))) {
      throw new IllegalArgumentException(
          "block-sparse work needs one sequence, all keys, multiples of "
              + BLOCK
              + " rows and keys, and at most as many kept blocks as there are; got "
              + keptKeyBlocks
              + " blocks of "
              + keys
              + " keys for "
              + rows
              + " rows");
    }
  }

  /** Prefill of one sequence of F32, every head with its own keys. */
  public static AttentionCase prefill(int heads, int headDim, int length, boolean causal) {
    return new AttentionCase(
        heads,
        heads,
        headDim,
        length,
        List.of(length),
        causal ? new Mask.Causal() : new Mask.All(),
        new Normalizer.Softmax(),
        KvFormat.F32,
        0);
  }

  /** One new token of each of some sequences. */
  public static AttentionCase decode(
      int queryHeads, int kvHeads, int headDim, KvFormat format, List<Integer> keys) {
    return new AttentionCase(
        queryHeads,
        kvHeads,
        headDim,
        1,
        keys,
        new Mask.Causal(),
        new Normalizer.Softmax(),
        format,
        0);
  }

  /** The same with sigmoid, biased by -ln n for the n keys of the first sequence. */
  public AttentionCase sigmoid() {
    Normalizer rule = new Normalizer.Sigmoid((float) -Math.log(keys.getFirst()));
    return new AttentionCase(
        queryHeads, kvHeads, headDim, rows, keys, mask, rule, format, keptKeyBlocks);
  }

  /** The same with another storage of keys and values. */
  public AttentionCase format(KvFormat other) {
    return new AttentionCase(
        queryHeads, kvHeads, headDim, rows, keys, mask, normalizer, other, keptKeyBlocks);
  }

  /**
   * The same with a share of the key blocks left out, rounded to whole blocks, at least one kept.
   */
  public AttentionCase sparse(double sparsity) {
    int blocks = keys.getFirst() / BLOCK;
    int kept = Math.clamp(Math.round((1 - sparsity) * blocks), 1, blocks);
    return new AttentionCase(
        queryHeads, kvHeads, headDim, rows, keys, mask, normalizer, format, kept);
  }

  /** Share of the key blocks that are left out. */
  public double sparsity() {
    return keptKeyBlocks == 0 ? 0 : 1 - (double) keptKeyBlocks * BLOCK / keys.getFirst();
  }

  /** Whether rows see earlier keys only. */
  public boolean causal() {
    return mask instanceof Mask.Causal;
  }

  /**
   * Floating-point operations: 4 headDim for each query head, row and key, half of it where a
   * causal sequence has as many rows as keys, and nothing for blocks left out.
   */
  public double flops() {
    double pairs = 0;
    for (int length : keys) {
      double all = (double) rows * length;
      pairs += causal() && rows == length && rows > 1 ? all / 2 : all * (1 - sparsity());
    }
    return 4.0 * queryHeads * headDim * pairs;
  }

  /** Bytes of all keys and values. */
  public double bytes() {
    double bytes = 0;
    for (int length : keys) {
      bytes += 2.0 * kvHeads * format.pageBytes(length, headDim);
    }
    return bytes;
  }

  /** What the kernel is asked for. */
  public AttentionSpec spec() {
    return AttentionSpec.builder(queryHeads, kvHeads, headDim)
        .mask(mask)
        .normalizer(normalizer)
        .formats(format, format)
        .selection(
            keptKeyBlocks == 0
                ? AttentionSpec.SelectionKind.NONE
                : AttentionSpec.SelectionKind.BLOCKS)
        .build();
  }

  /** Keys, shortened: {@code 65536} or {@code 65536 + 7 x 512}. */
  public String keysText() {
    int first = keys.getFirst();
    if (keys.size() == 1) {
      return Integer.toString(first);
    }
    int others = keys.size() - 1;
    return Collections.frequency(keys.subList(1, keys.size()), keys.get(1)) == others
        ? first + " + " + others + " x " + keys.get(1)
        : keys.toString();
  }
}
