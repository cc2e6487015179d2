package io.attention4j.engine.spi;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.AttentionInputs;
import io.attention4j.engine.attention.AttentionOutputs;
import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.BlockMask;
import io.attention4j.engine.attention.BlockMaxima;
import io.attention4j.engine.attention.GatheredKeys;
import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.Masks;
import io.attention4j.engine.attention.Normalizer;
import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.attention.ScoreModifier;
import io.attention4j.engine.attention.Selection;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;

/**
 * Checks the arguments of {@link AttentionPlan#run} against the spec, for every provider: make one
 * per plan and call {@link #require} at the start of run. After it, every index that a kernel
 * computes from the batch, the pages and the selection is in range. Allocates only when it refuses;
 * reads no tensor element, so it also serves device tensors.
 */
public final class AttentionChecks {
  private final AttentionSpec spec;
  private final boolean givesMaxima;
  private final boolean usesBits;
  private final boolean usesDocuments;
  private final boolean usesBias;

  /** Checks for one spec and kernels that do not give largest scores by block. */
  public AttentionChecks(AttentionSpec spec) {
    this(spec, false);
  }

  /** Checks for one spec and kernels that give {@link AttentionOutputs#maxima} or do not. */
  public AttentionChecks(AttentionSpec spec, boolean givesMaxima) {
    this.spec = spec;
    this.givesMaxima = givesMaxima;
    this.usesBits = Masks.usesBits(spec.mask());
    this.usesDocuments = Masks.usesDocuments(spec.mask());
    this.usesBias =
        spec.modifiers().stream().anyMatch(m -> m instanceof ScoreModifier.AdditiveBias);
  }

  /**
   * Checks everything once per run.
   *
   * @throws IllegalArgumentException if something does not match the spec; names both sides
   */
  public void require(AttentionBatch batch, AttentionInputs in, AttentionOutputs out) {
    int rows = batch.totalRows();
    requireHeads("q", in.q(), rows, spec.headDim());
    requireHeads("out", out.out(), rows, spec.valueDim());
    requireLse(out.lse(), rows);
    requirePages(batch, in.kv());
    long longest = 0;
    for (int s = 0; s < batch.sequences(); s++) {
      for (int h = 0; h < spec.kvHeads(); h++) {
        longest = Math.max(longest, in.kv().length(s, h));
      }
    }
    if (usesBits) {
      requireBroadcast("maskBits", batch.maskBits(), DType.I8, batch, 0);
    }
    if (usesBias) {
      requireBroadcast("bias", batch.bias(), DType.F32, batch, longest);
    }
    if (usesDocuments) {
      requireDocuments(batch, in.kv());
    }
    requireSelection(batch, in.kv(), in.selection());
    if (out.maxima() != null) {
      requireMaxima(out.maxima(), rows, longest);
    }
  }

  private void requireMaxima(BlockMaxima maxima, int rows, long keys) {
    boolean suited =
        givesMaxima
            && spec.normalizer() instanceof Normalizer.Softmax
            && spec.selection() == AttentionSpec.SelectionKind.NONE;
    if (!suited) {
      throw new IllegalArgumentException(
          "largest scores by block come from softmax over all keys on the kernels reference or"
              + " cpu.simd, not from "
              + spec.normalizer()
              + " with selection "
              + spec.selection()
              + " here; pass null");
    }
    Tensor scores = maxima.scores();
    boolean fits =
        scores.dtype() == DType.F32
            && scores.shape().rank() == 3
            && scores.extent(0) >= rows
            && scores.extent(1) == spec.queryHeads()
            && scores.extent(2) * maxima.keyBlock() >= keys
            && scores.isContiguous();
    if (!fits) {
      throw new IllegalArgumentException(
          "block maxima must be contiguous F32 [>= "
              + rows
              + ", "
              + spec.queryHeads()
              + ", >= "
              + Math.ceilDiv(keys, maxima.keyBlock())
              + "], not "
              + scores);
    }
  }

  private void requireHeads(String name, Tensor tensor, int rows, int dim) {
    boolean fits =
        tensor.dtype() == DType.F32
            && tensor.shape().rank() == 3
            && tensor.extent(0) >= rows
            && tensor.extent(1) == spec.queryHeads()
            && tensor.extent(2) == dim
            && (dim == 1 || tensor.stride(2) == 1);
    if (!fits) {
      throw new IllegalArgumentException(
          name
              + " must be F32 [>= "
              + rows
              + ", "
              + spec.queryHeads()
              + ", "
              + dim
              + "] with innermost stride 1, not "
              + tensor);
    }
  }

  private void requireLse(Tensor lse, int rows) {
    if (lse == null) {
      return;
    }
    if (!(spec.normalizer() instanceof Normalizer.Softmax)) {
      throw new IllegalArgumentException(
          "lse exists only for softmax, not for " + spec.normalizer() + "; pass null");
    }
    boolean fits =
        lse.dtype() == DType.F32
            && lse.shape().rank() == 2
            && lse.extent(0) >= rows
            && lse.extent(1) == spec.queryHeads()
            && lse.isContiguous();
    if (!fits) {
      throw new IllegalArgumentException(
          "lse must be contiguous F32 [>= " + rows + ", " + spec.queryHeads() + "], not " + lse);
    }
  }

  private void requirePages(AttentionBatch batch, PagedKv kv) {
    if (kv.kvHeads() != spec.kvHeads() || kv.sequences() < batch.sequences()) {
      throw new IllegalArgumentException(
          "pages of "
              + kv.sequences()
              + " sequences x "
              + kv.kvHeads()
              + " KV heads do not cover "
              + batch.sequences()
              + " sequences x "
              + spec.kvHeads()
              + " KV heads");
    }
    for (int s = 0; s < batch.sequences(); s++) {
      for (int h = 0; h < spec.kvHeads(); h++) {
        for (int p = 0; p < kv.pageCount(s, h); p++) {
          requirePage(kv.page(s, h, p), s, h, p);
        }
      }
    }
  }

  private void requirePage(KvPage page, int sequence, int kvHead, int index) {
    boolean fits =
        page != null
            && page.keyDim() == spec.headDim()
            && page.valueDim() == spec.valueDim()
            && spec.keyFormat().admits(page.keyFormat())
            && spec.valueFormat().admits(page.valueFormat());
    if (!fits) {
      String given =
          page == null
              ? "missing"
              : "keys "
                  + page.keyFormat()
                  + " x "
                  + page.keyDim()
                  + ", values "
                  + page.valueFormat()
                  + " x "
                  + page.valueDim();
      throw new IllegalArgumentException(
          "page "
              + index
              + " of (sequence "
              + sequence
              + ", KV head "
              + kvHead
              + ") must hold keys "
              + spec.keyFormat()
              + " x "
              + spec.headDim()
              + ", values "
              + spec.valueFormat()
              + " x "
              + spec.valueDim()
              + "; it is "
              + given);
    }
  }

  private void requireBroadcast(
      String name, Tensor tensor, DType dtype, AttentionBatch batch, long keys) {
    int mostRows = 0;
    for (int s = 0; s < batch.sequences(); s++) {
      mostRows = Math.max(mostRows, batch.rows(s));
    }
    boolean fits =
        tensor != null
            && tensor.dtype() == dtype
            && tensor.shape().rank() == 4
            && (tensor.extent(0) == 1 || tensor.extent(0) >= batch.sequences())
            && (tensor.extent(1) == 1 || tensor.extent(1) == spec.queryHeads())
            && (tensor.extent(2) == 1 || tensor.extent(2) >= mostRows)
            && (dtype == DType.I8 || tensor.extent(3) == 1 || tensor.extent(3) >= keys);
    if (!fits) {
      throw new IllegalArgumentException(
          "the spec's mask or modifiers need "
              + name
              + " as "
              + dtype
              + " ["
              + batch.sequences()
              + "|1, "
              + spec.queryHeads()
              + "|1, "
              + mostRows
              + "|1, "
              + (dtype == DType.I8 ? "keys" : keys + "|1")
              + "], not "
              + tensor);
    }
  }

  private void requireDocuments(AttentionBatch batch, PagedKv kv) {
    for (int s = 0; s < batch.sequences(); s++) {
      int[] documents = batch.documents(s);
      long last = batch.firstPosition(s) + batch.rows(s) - 1;
      long first = 0;
      for (int h = 0; h < spec.kvHeads(); h++) {
        for (int p = 0; p < kv.pageCount(s, h); p++) {
          KvPage page = kv.page(s, h, p);
          for (int slot = 0; slot < page.length(); slot++) {
            last = Math.max(last, page.position(slot));
            first = Math.min(first, page.position(slot));
          }
        }
      }
      if (documents == null || first < 0 || last >= documents.length) {
        throw new IllegalArgumentException(
            "the document mask needs a document of every position "
                + first
                + ".."
                + last
                + " of sequence "
                + s
                + ", but there are "
                + (documents == null ? "none" : "" + documents.length));
      }
    }
  }

  private void requireSelection(AttentionBatch batch, PagedKv kv, Selection selection) {
    switch (selection) {
      case Selection.None none when spec.selection() == AttentionSpec.SelectionKind.NONE -> {}
      case Selection.Blocks blocks when spec.selection() == AttentionSpec.SelectionKind.BLOCKS ->
          requireBlocks(batch, blocks.mask());
      case Selection.Gathered gathered
          when spec.selection() == AttentionSpec.SelectionKind.GATHERED ->
          requireGathered(batch, kv, gathered.keys());
      case null, default ->
          throw new IllegalArgumentException(
              "the spec's selection is "
                  + spec.selection()
                  + " but the inputs give "
                  + (selection == null ? "null" : selection.getClass().getSimpleName()));
    }
  }

  private void requireBlocks(AttentionBatch batch, BlockMask mask) {
    int heads =
        switch (mask.headAxis()) {
          case QUERY_HEAD -> spec.queryHeads();
          case KV_HEAD -> spec.kvHeads();
          case ONE -> 1;
        };
    if (mask.rowOffset().length < batch.sequences()) {
      throw new IllegalArgumentException(
          "a block mask of "
              + mask.rowOffset().length
              + " sequences does not cover a batch of "
              + batch.sequences());
    }
    for (int s = 0; s < batch.sequences(); s++) {
      long blocks = Math.ceilDiv(batch.rows(s), mask.queryBlock());
      long first = mask.rowOffset()[s];
      long end = first + heads * blocks;
      if (first < 0 || end > mask.fullIndptr().length - 1) {
        throw new IllegalArgumentException(
            "sequence "
                + s
                + " needs block rows "
                + first
                + ".."
                + (end - 1)
                + " ("
                + heads
                + " heads x "
                + blocks
                + " query blocks) of a block mask with "
                + (mask.fullIndptr().length - 1));
      }
      for (long row = first; row < end; row++) {
        requireAscending(mask.fullIndptr(), mask.fullIndices(), (int) row, "full");
        requireAscending(mask.partialIndptr(), mask.partialIndices(), (int) row, "partial");
        requireDisjoint(mask, (int) row);
      }
    }
  }

  private static void requireAscending(int[] indptr, int[] indices, int row, String what) {
    int from = indptr[row];
    int to = indptr[row + 1];
    if (from < 0 || to < from || to > indices.length) {
      throw new IllegalArgumentException(
          "block row "
              + row
              + " claims "
              + what
              + " entries ["
              + from
              + ", "
              + to
              + ") of "
              + indices.length);
    }
    int before = -1;
    for (int i = from; i < to; i++) {
      if (indices[i] <= before) {
        throw new IllegalArgumentException(
            what
                + " blocks of block row "
                + row
                + " must ascend from 0, but "
                + indices[i]
                + " follows "
                + before);
      }
      before = indices[i];
    }
  }

  private static void requireDisjoint(BlockMask mask, int row) {
    int full = mask.fullIndptr()[row];
    int partial = mask.partialIndptr()[row];
    while (full < mask.fullIndptr()[row + 1] && partial < mask.partialIndptr()[row + 1]) {
      int difference = mask.fullIndices()[full] - mask.partialIndices()[partial];
      if (difference == 0) {
        throw new IllegalArgumentException(
            "key block "
                + mask.fullIndices()[full]
                + " of block row "
                + row
                + " is both full and partial; list it once");
      }
      if (difference < 0) {
        full++;
      } else {
        partial++;
      }
    }
  }

  private void requireGathered(AttentionBatch batch, PagedKv kv, GatheredKeys keys) {
    for (int g = 0; g < keys.groups(); g++) {
      int s = keys.sequence()[g];
      int h = keys.queryHead()[g];
      if (s < 0 || s >= batch.sequences() || h < 0 || h >= spec.queryHeads()) {
        throw new IllegalArgumentException(
            "gathered group "
                + g
                + " names (sequence "
                + s
                + ", query head "
                + h
                + ") outside "
                + batch.sequences()
                + " x "
                + spec.queryHeads());
      }
      requireEntries(g, "row", keys.rowIndptr(), keys.rowIndices(), batch.rows(s));
      requireEntries(
          g, "key", keys.keyIndptr(), keys.keyIndices(), kv.length(s, h / spec.groupSize()));
    }
  }

  private static void requireEntries(
      int group, String what, int[] indptr, int[] indices, long bound) {
    int from = indptr[group];
    int to = indptr[group + 1];
    if (from < 0 || to < from || to > indices.length) {
      throw new IllegalArgumentException(
          "gathered group "
              + group
              + " claims "
              + what
              + " entries ["
              + from
              + ", "
              + to
              + ") of "
              + indices.length);
    }
    for (int i = from; i < to; i++) {
      if (indices[i] < 0 || indices[i] >= bound) {
        throw new IllegalArgumentException(
            "gathered group "
                + group
                + " names "
                + what
                + " "
                + indices[i]
                + " but there are "
                + bound);
      }
    }
  }
}
