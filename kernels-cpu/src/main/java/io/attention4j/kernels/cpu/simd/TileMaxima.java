package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;
import static jdk.incubator.vector.VectorOperators.GT;

import io.attention4j.engine.attention.BlockMaxima;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.attention.PageFormat;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * The largest score of every lane of a piece of work in every block of keys. Scores are in
 * registers' reach when the softmax of a tile begins, so they cost one more pass over a tile. One
 * per worker.
 */
final class TileMaxima {
  private static final int WIDTH = QueryLanes.WIDTH;

  private float[] maxima = {}; // [tile][block][WIDTH], in base 2
  private int keyBlock;
  private int blocks;

  /** Forgets all, for so many tiles of lanes. */
  void begin(BlockMaxima wanted, int tiles) {
    keyBlock = wanted.keyBlock();
    blocks = wanted.blocks();
    int size = Math.multiplyExact(Math.multiplyExact(tiles, blocks), WIDTH);
    if (maxima.length < size) {
      maxima = new float[size];
    }
    Arrays.fill(maxima, 0, size, Float.NEGATIVE_INFINITY);
  }

  /** Takes in keys [from, to) of a tile of scores whose first key is in this slot. */
  void add(int tile, float[] s, int firstSlot, int from, int to) {
    for (int k = from; k < to; ) {
      int block = (firstSlot + k) / keyBlock;
      int end = (int) Math.min(to, (block + 1L) * keyBlock - firstSlot);
      raise(s, k, end, (tile * blocks + block) * WIDTH);
      k = end;
    }
  }

  private void raise(float[] s, int from, int to, int at) {
    for (int v = 0; v < WIDTH; v += 2 * LANES) {
      FloatVector a = FloatVector.fromArray(FLOAT, maxima, at + v);
      FloatVector b = FloatVector.fromArray(FLOAT, maxima, at + v + LANES);
      for (int k = from; k < to; k++) {
        FloatVector x = FloatVector.fromArray(FLOAT, s, k * WIDTH + v);
        FloatVector y = FloatVector.fromArray(FLOAT, s, k * WIDTH + v + LANES);
        a = a.blend(x, x.compare(GT, a));
        b = b.blend(y, y.compare(GT, b));
      }
      a.intoArray(maxima, at + v);
      b.intoArray(maxima, at + v + LANES);
    }
  }

  /** Writes what the lanes got, in natural units. */
  void write(BlockMaxima wanted, QueryLanes lanes, int firstRow) {
    Tensor scores = wanted.scores();
    MemorySegment memory = PageFormat.host(scores.storage());
    float[] row = new float[blocks];
    for (int lane = 0; lane < lanes.count; lane++) {
      int at = lane / WIDTH * blocks * WIDTH + lane % WIDTH;
      for (int b = 0; b < blocks; b++) {
        row[b] = (float) (maxima[at + b * WIDTH] * RowResult.LN_2);
      }
      long index = (firstRow + lanes.row[lane]) * scores.extent(1) + lanes.head[lane];
      long byteAt = scores.byteOffset() + index * blocks * Float.BYTES;
      MemorySegment.copy(row, 0, memory, Tensor.FLOAT, byteAt, blocks);
    }
  }
}
