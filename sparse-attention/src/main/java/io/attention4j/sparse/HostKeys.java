package io.attention4j.sparse;

import io.attention4j.engine.attention.GroupedPages;
import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.KvFormat.Q4;
import io.attention4j.engine.attention.KvFormat.Q8;
import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.Q4Slots;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.RowCodec;
import io.attention4j.engine.tensor.Storage;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Reads keys and values of pages in host memory. */
final class HostKeys {
  private HostKeys() {}

  /** The key of a filled slot, as floats. */
  static void read(KvPage page, int slot, float[] key) {
    read(
        page.keys(), page.keyOffset(), page.keyFormat(), page.capacity(), slot, key, page.keyDim());
  }

  /** The value of a filled slot, as floats. */
  static void readValue(KvPage page, int slot, float[] value) {
    read(
        page.values(),
        page.valueOffset(),
        page.valueFormat(),
        page.capacity(),
        slot,
        value,
        page.valueDim());
  }

  private static void read(
      Storage storage, long at, KvFormat format, int capacity, int slot, float[] to, int dim) {
    MemorySegment memory =
        switch (storage) {
          case Storage.Host host -> host.segment();
          case Storage.Device device ->
              throw new IllegalStateException(
                  "keys live on device "
                      + device.deviceId()
                      + " but this selection reads them on the host; use kernels of the CPU");
        };
    switch (format) {
      case KvFormat.Plain plain when plain.dtype() == DType.F16 ->
          readHalves(memory, at + (long) slot * dim * Short.BYTES, to, dim);
      case KvFormat.Plain plain ->
          RowCodec.of(plain.dtype())
              .decode(memory, at + plain.dtype().bytes((long) slot * dim), to, 0, dim);
      case Q8 q8 -> {
        long scaleAt = at + Q8.scaleOffset(capacity, dim) + 4L * slot;
        float scale = memory.get(Tensor.FLOAT, scaleAt);
        for (int d = 0; d < dim; d++) {
          to[d] = scale * memory.get(ValueLayout.JAVA_BYTE, at + (long) slot * dim + d);
        }
      }
      case Q4 q4 -> {
        long codes = at + (long) slot * Q4.codeBytes(dim);
        long parameters =
            at + Q4.parameterOffset(capacity, dim) + (long) slot * Q4.parameterBytes(dim);
        Q4Slots.decode(memory, codes, memory, parameters, to, 0, dim);
      }
      case KvFormat.Grouped grouped ->
          GroupedPages.decode(grouped, memory, at, capacity, dim, slot, 1, to, 0);
      case KvFormat.Staircase staircase ->
          throw new IllegalArgumentException("a page has one format of a staircase");
    }
  }

  /** Over arrays, which the JIT turns into vector instructions. */
  private static void readHalves(MemorySegment memory, long at, float[] to, int dim) {
    short[] halves = new short[dim];
    MemorySegment.copy(memory, Tensor.SHORT, at, halves, 0, dim);
    for (int d = 0; d < dim; d++) {
      to[d] = Float.float16ToFloat(halves[d]);
    }
  }
}
