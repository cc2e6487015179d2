package io.attention4j.kernels.cpu.attention;

import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.KvFormat.Q4;
import io.attention4j.engine.attention.Q4Slots;
import java.lang.foreign.MemorySegment;

/** Reads slots of host pages of a format as floats, for tiles. */
public final class PageReader {
  private final PageFormat direct;
  private final boolean q4;

  /** Reads pages of this format. */
  public PageReader(KvFormat format) {
    direct = PageFormat.of(format);
    q4 = format instanceof Q4;
  }

  /**
   * Reads slots [slot, slot + count) of a page of vectors of {@code dim} elements that begins at
   * byte {@code offset} to {@code to}, row-major from {@code at}.
   */
  public void read(
      MemorySegment memory,
      long offset,
      int capacity,
      int dim,
      int slot,
      int count,
      float[] to,
      int at) {
    if (!q4) {
      direct.read(memory, offset, capacity, dim, slot, count, to, at);
      return;
    }
    for (int r = 0; r < count; r++) {
      long codes = offset + (long) (slot + r) * Q4.codeBytes(dim);
      long parameters =
          offset + Q4.parameterOffset(capacity, dim) + (long) (slot + r) * Q4.parameterBytes(dim);
      Q4Slots.decode(memory, codes, memory, parameters, to, at + r * dim, dim);
    }
  }
}
