package io.attention4j.kernels.cpu.attention;

import io.attention4j.engine.attention.GroupedPages;
import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.KvFormat.Grouped;
import io.attention4j.engine.attention.KvFormat.Q4;
import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.Q4Slots;
import java.lang.foreign.MemorySegment;

/** Reads slots of host pages as floats, for tiles; every page says its own format. */
public final class PageReader {
  private PageReader() {}

  /** Reads the keys of slots [slot, slot + count) to {@code to}, row-major from {@code at}. */
  public static void keys(KvPage page, int slot, int count, float[] to, int at) {
    read(
        page.keyFormat(),
        PageFormat.host(page.keys()),
        page.keyOffset(),
        page.capacity(),
        page.keyDim(),
        slot,
        count,
        to,
        at);
  }

  /** Reads the values of slots [slot, slot + count) to {@code to}, row-major from {@code at}. */
  public static void values(KvPage page, int slot, int count, float[] to, int at) {
    read(
        page.valueFormat(),
        PageFormat.host(page.values()),
        page.valueOffset(),
        page.capacity(),
        page.valueDim(),
        slot,
        count,
        to,
        at);
  }

  private static void read(
      KvFormat format,
      MemorySegment memory,
      long offset,
      int capacity,
      int dim,
      int slot,
      int count,
      float[] to,
      int at) {
    switch (format) {
      case Q4 q4 -> {
        for (int r = 0; r < count; r++) {
          long codes = offset + (long) (slot + r) * Q4.codeBytes(dim);
          long parameters =
              offset
                  + Q4.parameterOffset(capacity, dim)
                  + (long) (slot + r) * Q4.parameterBytes(dim);
          Q4Slots.decode(memory, codes, memory, parameters, to, at + r * dim, dim);
        }
      }
      case Grouped grouped ->
          GroupedPages.decode(grouped, memory, offset, capacity, dim, slot, count, to, at);
      default -> PageFormat.of(format).read(memory, offset, capacity, dim, slot, count, to, at);
    }
  }
}
