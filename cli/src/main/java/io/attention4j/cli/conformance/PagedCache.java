package io.attention4j.cli.conformance;

import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.KvWriteKernel;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;

/**
 * Keys and values of all sequences in small pages, so that cases of a few keys cross page borders.
 */
final class PagedCache {
  private static final int PAGE_SLOTS = 4;

  private final int sequences;
  private final int kvHeads;
  private final int slots;
  private final int pagesPerHead;
  private final int keyDim;
  private final int valueDim;
  private final Tensor keys;
  private final Tensor values;
  private final KvPage[][] pages;
  private final KvWriteKernel writer;

  /** Room for {@code slots} keys per sequence and head; F32, or F16 for half-precision cases. */
  PagedCache(
      KernelSelector kernels,
      DeviceData data,
      boolean half,
      int sequences,
      int kvHeads,
      int slots,
      int keyDim,
      int valueDim) {
    this.sequences = sequences;
    this.kvHeads = kvHeads;
    this.slots = slots;
    this.keyDim = keyDim;
    this.valueDim = valueDim;
    this.pagesPerHead = Math.ceilDiv(slots, PAGE_SLOTS);
    KvFormat format = half ? KvFormat.F16 : KvFormat.F32;
    DType dtype = half ? DType.F16 : DType.F32;
    int heads = sequences * kvHeads;
    long capacity = (long) heads * pagesPerHead * PAGE_SLOTS;
    keys = data.zeros(dtype, capacity, keyDim);
    values = data.zeros(dtype, capacity, valueDim);
    writer = kernels.select(KvWriteKernel.class, format);
    pages = new KvPage[heads][pagesPerHead];
    for (int head = 0; head < heads; head++) {
      for (int p = 0; p < pagesPerHead; p++) {
        long first = ((long) head * pagesPerHead + p) * PAGE_SLOTS;
        pages[head][p] =
            new KvPage(
                PAGE_SLOTS,
                keys.storage(),
                keys.byteOffset() + dtype.bytes(first * keyDim),
                format,
                keyDim,
                values.storage(),
                values.byteOffset() + dtype.bytes(first * valueDim),
                format,
                valueDim);
        pages[head][p].firstPosition((long) p * PAGE_SLOTS);
      }
    }
  }

  /**
   * Stores rows [row, row + count) of k and v, both [rows, kvHeads, dim], at slots [slot, slot +
   * count) of every head of a sequence.
   */
  void write(int sequence, Tensor k, Tensor v, int row, int count, int slot) {
    for (int head = 0; head < kvHeads; head++) {
      for (int done = 0; done < count; ) {
        int at = slot + done;
        int inPage = at % PAGE_SLOTS;
        int chunk = Math.min(count - done, PAGE_SLOTS - inPage);
        KvPage page = pages[sequence * kvHeads + head][at / PAGE_SLOTS];
        writer.write(k, v, row + done, chunk, head, page, inPage);
        done += chunk;
      }
    }
  }

  /** The page table when sequence s holds its first {@code lengths[s]} slots. */
  PagedKv table(int[] lengths) {
    PagedKv table = new PagedKv(kvHeads);
    table.reset(sequences);
    for (int s = 0; s < sequences; s++) {
      if (lengths[s] < 0 || lengths[s] > slots) {
        throw new IllegalArgumentException(
            "sequence " + s + " claims " + lengths[s] + " keys of " + slots);
      }
      int count = Math.ceilDiv(lengths[s], PAGE_SLOTS);
      for (int h = 0; h < kvHeads; h++) {
        KvPage[] own = pages[s * kvHeads + h];
        for (int p = 0; p < count; p++) {
          own[p].length(Math.min(PAGE_SLOTS, lengths[s] - p * PAGE_SLOTS));
        }
        table.set(s, h, own, count);
      }
    }
    return table;
  }

  /** Stored keys as [sequences, kvHeads, slots, keyDim]. */
  double[] keys(DeviceData data) {
    return trimmed(data.read(keys), keyDim);
  }

  /** Stored values as [sequences, kvHeads, slots, valueDim]. */
  double[] values(DeviceData data) {
    return trimmed(data.read(values), valueDim);
  }

  private double[] trimmed(float[] stored, int dim) {
    double[] result = new double[sequences * kvHeads * slots * dim];
    int padded = pagesPerHead * PAGE_SLOTS * dim;
    int kept = slots * dim;
    for (int i = 0; i < result.length; i++) {
      result[i] = stored[i / kept * padded + i % kept];
    }
    return result;
  }
}
