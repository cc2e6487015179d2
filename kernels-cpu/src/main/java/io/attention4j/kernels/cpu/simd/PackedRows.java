package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.LANES;

import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.rows.HostMemory;
import java.lang.foreign.MemorySegment;

/**
 * Rows of x in panels of register-tile width: element k of the rows of a panel lie side by side, so
 * that one load fills the lanes. The last panel is as narrow as its rows allow, in whole vectors;
 * its unused lanes are zero.
 */
final class PackedRows {
  /** Vectors of a whole panel: what {@link MatmulTile4} or {@link MatmulTile2} takes. */
  static final int PANEL_VECTORS = Species.BITS == 512 ? 4 : 2;

  /** Rows of x in a whole panel. */
  static final int PANEL_ROWS = PANEL_VECTORS * LANES;

  /** Columns packed at a time: a cache line of each row. */
  private static final int STRIP = 16;

  private float[] values = new float[0];
  private Tensor x;
  private int firstRow;
  private int rows;
  private int in;

  /** Binds the rows; {@link #pack} then fills each panel. */
  void bind(Tensor source, int first, int count, int inFeatures) {
    x = source;
    firstRow = first;
    rows = count;
    in = inFeatures;
    int elements = Math.multiplyExact(Math.ceilDiv(rows, LANES) * LANES, in);
    if (values.length < elements) {
      values = new float[elements];
    }
  }

  /** Forgets the tensor. */
  void unbind() {
    x = null;
  }

  /** Panels. */
  int panels() {
    return Math.ceilDiv(rows, PANEL_ROWS);
  }

  /** Rows of x in a panel. */
  int rows(int panel) {
    return Math.min(PANEL_ROWS, rows - panel * PANEL_ROWS);
  }

  /** Lanes of a panel: its rows rounded up to whole vectors. */
  int width(int panel) {
    return Math.ceilDiv(rows(panel), LANES) * LANES;
  }

  /** First element of a panel, which is [in, width]. */
  int at(int panel) {
    return panel * PANEL_ROWS * in;
  }

  /** All panels. */
  float[] values() {
    return values;
  }

  /** Fills a panel. */
  void pack(int panel) {
    MemorySegment source = HostMemory.of(x);
    int width = width(panel);
    int panelRows = rows(panel);
    int panelAt = at(panel);
    long first = x.byteOffset() + ((long) firstRow + panel * PANEL_ROWS) * in * Float.BYTES;
    for (int strip = 0; strip < in; strip += STRIP) {
      int end = Math.min(in, strip + STRIP);
      for (int r = 0; r < width; r++) {
        if (r < panelRows) {
          long row = first + (long) r * in * Float.BYTES;
          for (int k = strip; k < end; k++) {
            values[panelAt + k * width + r] = source.get(Tensor.FLOAT, row + 4L * k);
          }
        } else {
          for (int k = strip; k < end; k++) {
            values[panelAt + k * width + r] = 0;
          }
        }
      }
    }
  }
}
