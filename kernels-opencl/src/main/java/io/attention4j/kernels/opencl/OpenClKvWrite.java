package io.attention4j.kernels.opencl;

import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.KvFormat.Q8;
import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.spi.KvWriteKernel;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.tensor.Storage;
import io.attention4j.engine.tensor.Tensor;

/** One work group per vector, see kv_write.cl. */
final class OpenClKvWrite implements KvWriteKernel {
  private static final ClProgramCache.Source SOURCE = ClProgramCache.Source.of("kv_write", "");

  private final ClContext context;

  OpenClKvWrite(ClContext context) {
    this.context = context;
  }

  @Override
  public Support supports(KvFormat format) {
    return format instanceof KvFormat.Q4
        ? Support.no("Q4, which opencl does not write; use q8 or f16")
        : KvWriteKernel.bySlots(format);
  }

  @Override
  public void write(Tensor k, Tensor v, int row, int count, int kvHead, KvPage page, int slot) {
    TensorChecks.requireKvWrite(k, v, row, count, kvHead, page, slot);
    write("k", k, row, count, kvHead, page.keyFormat(), page.keys(), page.keyOffset(), slot, page);
    write(
        "v",
        v,
        row,
        count,
        kvHead,
        page.valueFormat(),
        page.values(),
        page.valueOffset(),
        slot,
        page);
  }

  private void write(
      String name,
      Tensor x,
      int row,
      int count,
      int kvHead,
      KvFormat format,
      Storage storage,
      long offset,
      int slot,
      KvPage page) {
    int dim = (int) x.extent(2);
    long rowStride = x.extent(1) * dim;
    long first = DeviceMemory.floatOffset(x) + row * rowStride + (long) kvHead * dim;
    ClBuffer from = DeviceMemory.of(name, x, context);
    ClBuffer to = DeviceMemory.of("the page", storage, context);
    long[] groups = {count};
    switch (format) {
      case KvFormat.Plain plain ->
          context.launch(
              SOURCE,
              "write_plain",
              groups,
              RowKernels.GROUP,
              switch (plain.dtype()) {
                case F32 -> 0;
                case F16 -> 1;
                default -> 2;
              },
              from,
              first,
              rowStride,
              dim,
              to,
              offset,
              slot);
      case Q8 q8 ->
          context.launch(
              SOURCE,
              "write_q8",
              groups,
              RowKernels.GROUP,
              from,
              first,
              rowStride,
              dim,
              to,
              offset,
              Q8.scaleOffset(page.capacity(), dim),
              slot);
      case KvFormat.Q4 q4 ->
          throw new IllegalArgumentException("opencl does not write Q4 pages; use q8 or f16");
      case KvFormat.Grouped grouped ->
          throw new IllegalArgumentException("opencl does not write pages in groups");
      case KvFormat.Staircase staircase ->
          throw new IllegalArgumentException("a page has one format of a staircase");
    }
  }
}
