package io.attention4j.engine.reference;

import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.KvFormat.Q4;
import io.attention4j.engine.attention.KvFormat.Q8;
import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.Q4Slots;
import io.attention4j.engine.spi.KvWriteKernel;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.tensor.RowCodec;
import io.attention4j.engine.tensor.Storage;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Page slot = converted row, for keys and values alike. */
final class ReferenceKvWrite implements KvWriteKernel {
  @Override
  public Support supports(KvFormat format) {
    return KvWriteKernel.bySlots(format);
  }

  @Override
  public void write(Tensor k, Tensor v, int row, int count, int kvHead, KvPage page, int slot) {
    TensorChecks.requireKvWrite(k, v, row, count, kvHead, page, slot);
    for (int i = 0; i < count; i++) {
      float[] key = vector(k, row + i, kvHead);
      float[] value = vector(v, row + i, kvHead);
      store(key, page.keys(), page.keyOffset(), page.keyFormat(), page.capacity(), slot + i);
      store(
          value, page.values(), page.valueOffset(), page.valueFormat(), page.capacity(), slot + i);
    }
  }

  private static float[] vector(Tensor tensor, int row, int head) {
    int dim = Math.toIntExact(tensor.extent(2));
    float[] values = new float[dim];
    long first = (row * tensor.extent(1) + head) * dim;
    MemorySegment.copy(tensor.segment(), Tensor.FLOAT, first * Float.BYTES, values, 0, dim);
    return values;
  }

  private static void store(
      float[] values, Storage storage, long offset, KvFormat format, int capacity, int slot) {
    MemorySegment page = HostPages.segment(storage).asSlice(offset);
    int dim = values.length;
    switch (format) {
      case KvFormat.Plain plain -> {
        long at = plain.dtype().bytes((long) slot * dim);
        RowCodec.of(plain.dtype()).encode(values, 0, page, at, dim);
      }
      case Q8 q8 -> {
        float scale = maxMagnitude(values) / 127;
        page.set(Tensor.FLOAT, Q8.scaleOffset(capacity, dim) + slot * 4L, scale);
        for (int i = 0; i < dim; i++) {
          page.set(ValueLayout.JAVA_BYTE, (long) slot * dim + i, code(values[i], scale));
        }
      }
      case Q4 q4 -> {
        long codes = (long) slot * Q4.codeBytes(dim);
        long parameters = Q4.parameterOffset(capacity, dim) + (long) slot * Q4.parameterBytes(dim);
        Q4Slots.encode(values, 0, dim, page, codes, page, parameters);
      }
      case KvFormat.Grouped grouped -> throw notBySlots(format);
      case KvFormat.Staircase staircase -> throw notBySlots(format);
    }
  }

  private static IllegalArgumentException notBySlots(KvFormat format) {
    return new IllegalArgumentException(format + " pages are not written slot by slot");
  }

  /** NaN if any value is: a poisoned slot stays visible instead of becoming a number. */
  private static float maxMagnitude(float[] values) {
    float max = 0;
    for (float value : values) {
      max = Math.max(max, Math.abs(value));
    }
    return max == Float.POSITIVE_INFINITY ? Float.NaN : max;
  }

  private static byte code(float value, float scale) {
    return scale > 0 ? (byte) Math.clamp(Math.rint((double) value / scale), -127, 127) : 0;
  }
}
