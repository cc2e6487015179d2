package io.attention4j.kernels.cpu.rows;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.spi.EmbeddingKernel;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.EnumMap;
import java.util.Map;
import java.util.function.Function;

/** Embedding rows, decoded on the way. */
public final class EmbeddingRows extends RowPieces implements EmbeddingKernel {
  /** Elements decoded at a time; a multiple of every block size. */
  private static final int CHUNK_ELEMENTS = 2048;

  private final Map<DType, RowDecoder> decoders = new EnumMap<>(DType.class);
  private final float[][] chunks;
  private Tensor table;
  private int[] ids;
  private Tensor out;

  /** Runs on these workers, with these decoders. */
  public EmbeddingRows(Parallel workers, Function<DType, RowDecoder> decoderOf) {
    super(workers);
    for (DType dtype : DType.values()) {
      decoders.put(dtype, decoderOf.apply(dtype));
    }
    chunks = new float[threads()][CHUNK_ELEMENTS];
  }

  @Override
  public Support supports(DType wanted) {
    return Support.YES;
  }

  @Override
  public synchronized void run(Tensor rowsTable, int[] tokenIds, int rows, Tensor output) {
    TensorChecks.requireEmbedding(rowsTable, tokenIds, rows, output);
    table = rowsTable;
    ids = tokenIds;
    out = output;
    sweep(rows, rowsTable.extent(1));
    table = null;
    ids = null;
    out = null;
  }

  @Override
  protected void range(long from, long to, int worker) {
    DType dtype = table.dtype();
    RowDecoder decoder = decoders.get(dtype);
    MemorySegment source = HostMemory.of(table);
    MemorySegment target = HostMemory.of(out);
    float[] chunk = chunks[worker];
    long dim = table.extent(1);
    for (long row = from; row < to; row++) {
      long first = ids[(int) row] * table.stride(0);
      for (long done = 0; done < dim; done += CHUNK_ELEMENTS) {
        int elements = (int) Math.min(CHUNK_ELEMENTS, dim - done);
        long at = table.byteOffset() + dtype.bytes(first + done);
        decoder.decode(source, at, chunk, 0, elements);
        long outAt = out.byteOffset() + (row * dim + done) * Float.BYTES;
        MemorySegment.copy(chunk, 0, target, Tensor.FLOAT, outAt, elements);
      }
    }
  }
}
