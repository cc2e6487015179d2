package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.LANES;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.matmul.BandedPlan;
import io.attention4j.kernels.cpu.matmul.Bands;
import io.attention4j.kernels.cpu.rows.HostMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * Few rows of x (decoding) are multiplied straight from the stored weights: one product per weight
 * row, bound by memory. Many rows (prefill) share decoded weights: a band of weight rows is decoded
 * {@link #DEPTH} columns at a time and multiplied with panels of x in register tiles.
 */
final class SimdMatmulPlan extends BandedPlan {
  /** Bytes of a band of few rows of x: long enough to stream, short enough to share evenly. */
  private static final long DIRECT_BAND_BYTES = 128 * 1024;

  /** Weight rows of a register tile. */
  private static final int TILE_ROWS = 6;

  /**
   * Weight rows of a band of many rows of x: its decoded columns stay in the second-level cache.
   */
  private static final int BAND_ROWS = 8 * TILE_ROWS;

  /** Rows of x up to which products for each from packed weights beat a register tile. */
  private static final int PACKED_DIRECT_ROWS = 8;

  /** The same where {@link ShortTiles} take over. */
  private static final int SHORT_DIRECT_ROWS = 3;

  /** Rows of x quantised at a time: whole tiles of {@link ShortTiles}. */
  private static final int QUANTIZED_ROWS = 16;

  /** Columns decoded at a time; a multiple of every block size. */
  private static final int DEPTH = 256;

  /** Rows of x that share one decoding; bounds the scratch memory. */
  private static final int PASS_ROWS = 512;

  private enum Step {
    DIRECT,
    PACK,
    QUANTIZE,
    TILES
  }

  private final MatmulScratch scratch;
  private final WeightRows[] formats;
  private final PackedWeight[] packedWeights;
  private final Arena arena = Arena.ofShared();
  private final boolean quantizes;
  private final boolean usesEighths;
  private final boolean usesNibbles;
  private final boolean usesPairs;
  private final boolean usesShorts;
  private final boolean usesFloats;
  private final int directRows;
  private final Bands directBands;
  private final Bands tileBands;
  private Step step;
  private int firstRow;
  private int rows;

  SimdMatmulPlan(
      List<Tensor> weights, List<Tensor> biases, Parallel workers, MatmulScratch scratch) {
    super(weights, biases, workers, scratch);
    this.scratch = scratch;
    formats = weights.stream().map(w -> WeightRows.of(w.dtype())).toArray(WeightRows[]::new);
    packedWeights = new PackedWeight[weights.size()];
    int most = PACKED_DIRECT_ROWS;
    boolean codes = false;
    boolean eighths = false;
    boolean nibbles = false;
    boolean pairs = false;
    int shorts = 0;
    for (int i = 0; i < weights.size(); i++) {
      packedWeights[i] = PackedWeight.of(weights.get(i), arena, workers);
      if (packedWeights[i] == null) {
        most = Math.min(most, formats[i].directRows());
      } else {
        codes |= packedWeights[i].layout().quantizes();
        eighths |= packedWeights[i].layout().usesEighths();
        nibbles |= packedWeights[i].layout().usesNibbles();
        pairs |= packedWeights[i].layout().usesPairs();
      }
      shorts += usesShorts(i) ? 1 : 0;
    }
    directRows = shorts == weights.size() ? SHORT_DIRECT_ROWS : most;
    quantizes = codes;
    usesEighths = eighths;
    usesNibbles = nibbles;
    usesPairs = pairs;
    usesShorts = shorts > 0;
    usesFloats = shorts < weights.size();
    directBands = Bands.of(weights, i -> directBandRows(weights.get(i)));
    tileBands =
        Bands.of(weights, i -> usesShorts(i) ? ShortTiles.ROWS : tileBandRows(weights.get(i)));
  }

  private boolean usesShorts(int index) {
    return packedWeights[index] != null && packedWeights[index].layout().unpacks();
  }

  private static int directBandRows(Tensor weight) {
    long rowBytes = Math.max(1, weight.dtype().bytes(weight.stride(0)));
    long rows = Math.clamp(DIRECT_BAND_BYTES / rowBytes, 1, 256);
    // Small weights still give several bands.
    long few = Math.clamp(weight.extent(0) / 16, 1, rows);
    return (int) Math.ceilDiv(few, 2 * RowGroups.ROWS) * 2 * RowGroups.ROWS;
  }

  private static int tileBandRows(Tensor weight) {
    return weight.extent(0) >= 16 * BAND_ROWS ? BAND_ROWS : 2 * TILE_ROWS;
  }

  @Override
  protected void multiply(Tensor x, int allRows) {
    if (allRows <= directRows || inFeatures() == 0) {
      step = Step.DIRECT;
      firstRow = 0;
      rows = allRows;
      scratch.activations().load(x, 0, rows, inFeatures(), quantizes);
      if (usesEighths) {
        scratch.activations().quantized().sumEighths(rows * inFeatures());
      }
      if (usesNibbles) {
        scratch.activations().quantized().prepareNibbles(rows * inFeatures());
      }
      if (usesPairs) {
        scratch.activations().quantized().preparePairs(rows * inFeatures());
      }
      scratch.reserve(inFeatures(), 256 + 2 * RowGroups.ROWS);
      forAll(directBands.count());
      return;
    }
    for (int done = 0; done < allRows; done += PASS_ROWS) {
      firstRow = done;
      rows = Math.min(PASS_ROWS, allRows - done);
      multiplyMany(x);
    }
    scratch.packed().unbind();
  }

  private void multiplyMany(Tensor x) {
    int padded = Math.ceilDiv(rows, LANES) * LANES;
    scratch.reserve(BAND_ROWS * DEPTH, Math.max(BAND_ROWS, ShortTiles.ROWS) * padded);
    if (usesShorts) {
      scratch.activations().reserve(x, firstRow, tileRows(), inFeatures(), true);
      step = Step.QUANTIZE;
      forAll(Math.ceilDiv(rows, QUANTIZED_ROWS));
    }
    if (usesFloats) {
      scratch.packed().bind(x, firstRow, rows, inFeatures());
      step = Step.PACK;
      forAll(scratch.packed().panels());
    }
    step = Step.TILES;
    forAll(tileBands.count());
  }

  @Override
  public void run(int index, int worker) {
    switch (step) {
      case DIRECT -> direct(index, worker);
      case PACK -> scratch.packed().pack(index);
      case QUANTIZE -> {
        int from = index * QUANTIZED_ROWS;
        int to = Math.min(rows, from + QUANTIZED_ROWS);
        scratch.activations().loadTiles(from, to, tileRows());
      }
      case TILES -> {
        if (usesShorts(tileBands.weight(index))) {
          shortTiles(index, worker);
        } else {
          tiles(index, worker);
        }
      }
    }
  }

  /** Rows of x of this pass, whole tiles. */
  private int tileRows() {
    return Math.ceilDiv(rows, ShortTiles.X_ROWS) * ShortTiles.X_ROWS;
  }

  private void shortTiles(int band, int worker) {
    int index = tileBands.weight(band);
    long first = tileBands.firstRow(band);
    int count = tileBands.rows(band);
    float[] sums = scratch.sums(worker);
    scratch
        .shortTiles(worker)
        .multiply(
            packedWeights[index],
            first / RowGroups.ROWS,
            Math.ceilDiv(count, RowGroups.ROWS),
            scratch.activations().quantized(),
            tileRows(),
            inFeatures(),
            sums);
    for (int r = 0; r < rows; r++) {
      store(index, firstRow + r, first, count, sums, r * ShortTiles.ROWS);
    }
  }

  private void direct(int band, int worker) {
    int index = directBands.weight(band);
    long first = directBands.firstRow(band);
    int count = directBands.rows(band);
    Tensor weight = weight(index);
    MemorySegment memory = HostMemory.of(weight);
    long at = rowAt(weight, first);
    long rowBytes = weight.dtype().bytes(weight.stride(0));
    float[] sums = scratch.sums(worker);
    float[] decoded = scratch.decoded(worker);
    PackedWeight packed = packedWeights[index];
    for (int r = 0; r < rows; r++) {
      if (packed == null) {
        formats[index].dots(
            memory, at, rowBytes, count, scratch.activations(), r, sums, 0, decoded);
      } else {
        long groupAt = first / RowGroups.ROWS * packed.groupBytes();
        packedDots(packed, groupAt, count, r, sums);
      }
      store(index, r, first, count, sums, 0);
    }
  }

  private void packedDots(PackedWeight packed, long at, int count, int xRow, float[] sums) {
    RowGroups layout = packed.layout();
    Activations x = scratch.activations();
    long groupAt = at;
    int done = 0;
    for (; done + RowGroups.ROWS < count; done += 2 * RowGroups.ROWS) {
      long second = groupAt + packed.groupBytes();
      layout.pairDots(packed.memory(), groupAt, second, x, xRow, sums, done, done + RowGroups.ROWS);
      groupAt = second + packed.groupBytes();
    }
    if (done < count) {
      layout.dots(packed.memory(), groupAt, x, xRow, sums, done);
    }
  }

  private void tiles(int band, int worker) {
    int index = tileBands.weight(band);
    long first = tileBands.firstRow(band);
    int count = tileBands.rows(band);
    int in = inFeatures();
    Tensor weight = weight(index);
    MemorySegment memory = HostMemory.of(weight);
    float[] decoded = scratch.decoded(worker);
    float[] sums = scratch.sums(worker);
    PackedRows packed = scratch.packed();
    int bandTiles = Math.ceilDiv(count, TILE_ROWS);
    int bandRows = bandTiles * TILE_ROWS;
    for (int k = 0; k < in; k += DEPTH) {
      int depth = Math.min(DEPTH, in - k);
      for (int i = 0; i < count; i++) {
        long at = rowAt(weight, first + i) + weight.dtype().bytes(k);
        formats[index].decode(memory, at, decoded, i * DEPTH, depth);
      }
      for (int panel = 0; panel < packed.panels(); panel++) {
        int width = packed.width(panel);
        int xAt = packed.at(panel) + k * width;
        int cAt = panel * PackedRows.PANEL_ROWS * bandRows;
        for (int tile = 0; tile < bandTiles; tile++) {
          int wAt = tile * TILE_ROWS * DEPTH;
          int tileAt = cAt + tile * TILE_ROWS * width;
          tile(decoded, wAt, packed.values(), xAt, width, depth, sums, tileAt, k > 0);
        }
      }
    }
    for (int panel = 0; panel < packed.panels(); panel++) {
      int width = packed.width(panel);
      int cAt = panel * PackedRows.PANEL_ROWS * bandRows;
      int row = firstRow + panel * PackedRows.PANEL_ROWS;
      for (int r = 0; r < packed.rows(panel); r++) {
        for (int i = 0; i < count; i++) {
          decoded[i] = sums[cAt + r + i * width];
        }
        store(index, row + r, first, count, decoded, 0);
      }
    }
  }

  private static void tile(
      float[] w,
      int wAt,
      float[] x,
      int xAt,
      int width,
      int depth,
      float[] c,
      int cAt,
      boolean add) {
    if (width == PackedRows.PANEL_ROWS) {
      if (PackedRows.PANEL_VECTORS == 4) {
        MatmulTile4.multiply(w, wAt, DEPTH, x, xAt, width, depth, c, cAt, width, add);
      } else {
        MatmulTile2.multiply(w, wAt, DEPTH, x, xAt, width, depth, c, cAt, width, add);
      }
      return;
    }
    for (int lane = 0; lane < width; lane += LANES) {
      MatmulTile1.multiply(w, wAt, DEPTH, x, xAt + lane, width, depth, c, cAt + lane, width, add);
    }
  }

  @Override
  public void close() {
    arena.close();
  }
}
