package io.attention4j.kernels.cpu.rows;

import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.KvFormat.Q4;
import io.attention4j.engine.attention.KvFormat.Q8;
import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.Q4Slots;
import io.attention4j.engine.spi.KvWriteKernel;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.RowCodec;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Writes keys and values of one head to slots of a page. */
public final class KvWriteSlots implements KvWriteKernel {
  private static final int MAX_CODE = 127;

  private final RowCodec f16 = RowCodec.of(DType.F16);
  private final RowCodec bf16 = RowCodec.of(DType.BF16);
  private float[] row = new float[128];

  /** Runs on the caller: a page's slots are too few to share. */
  public KvWriteSlots() {}

  @Override
  public Support supports(KvFormat format) {
    return KvWriteKernel.bySlots(format);
  }

  @Override
  public synchronized void write(
      Tensor k, Tensor v, int first, int count, int kvHead, KvPage page, int slot) {
    TensorChecks.requireKvWrite(k, v, first, count, kvHead, page, slot);
    MemorySegment keys = HostMemory.of(page.keys());
    MemorySegment values = HostMemory.of(page.values());
    int capacity = page.capacity();
    for (int i = 0; i < count; i++) {
      store(k, first + i, kvHead, page.keyFormat(), keys, page.keyOffset(), capacity, slot + i);
      store(
          v, first + i, kvHead, page.valueFormat(), values, page.valueOffset(), capacity, slot + i);
    }
  }

  private void store(
      Tensor source,
      int sourceRow,
      int head,
      KvFormat format,
      MemorySegment page,
      long pageAt,
      int capacity,
      int slot) {
    int dim = Math.toIntExact(source.extent(2));
    if (row.length < dim) {
      row = new float[dim];
    }
    long at = source.byteOffset() + (sourceRow * source.extent(1) + head) * dim * Float.BYTES;
    MemorySegment.copy(HostMemory.of(source), Tensor.FLOAT, at, row, 0, dim);
    switch (format) {
      case KvFormat.Plain plain -> {
        long target = pageAt + plain.dtype().bytes((long) slot * dim);
        switch (plain.dtype()) {
          case F16 -> f16.encode(row, 0, page, target, dim);
          case BF16 -> bf16.encode(row, 0, page, target, dim);
          default -> MemorySegment.copy(row, 0, page, Tensor.FLOAT, target, dim);
        }
      }
      case Q8 q8 -> {
        long scaleAt = pageAt + Q8.scaleOffset(capacity, dim) + (long) slot * Float.BYTES;
        storeQ8(dim, page, pageAt + (long) slot * dim, scaleAt);
      }
      case Q4 q4 -> {
        long codes = pageAt + (long) slot * Q4.codeBytes(dim);
        long parameters =
            pageAt + Q4.parameterOffset(capacity, dim) + (long) slot * Q4.parameterBytes(dim);
        Q4Slots.encode(row, 0, dim, page, codes, page, parameters);
      }
      case KvFormat.Grouped grouped -> throw notBySlots(format);
      case KvFormat.Staircase staircase -> throw notBySlots(format);
    }
  }

  private static IllegalArgumentException notBySlots(KvFormat format) {
    return new IllegalArgumentException(format + " pages are not written slot by slot");
  }

  private void storeQ8(int dim, MemorySegment page, long codesAt, long scaleAt) {
    float max = 0;
    for (int i = 0; i < dim; i++) {
      max = Math.max(max, Math.abs(row[i]));
    }
    // A slot with a value that is not finite reads as NaN instead of as some number.
    float scale = max == Float.POSITIVE_INFINITY ? Float.NaN : max / MAX_CODE;
    page.set(Tensor.FLOAT, scaleAt, scale);
    for (int i = 0; i < dim; i++) {
      double code = scale > 0 ? Math.rint((double) row[i] / scale) : 0;
      page.set(ValueLayout.JAVA_BYTE, codesAt + i, (byte) Math.clamp(code, -MAX_CODE, MAX_CODE));
    }
  }
}
