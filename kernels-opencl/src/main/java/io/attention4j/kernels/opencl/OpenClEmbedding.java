package io.attention4j.kernels.opencl;

import io.attention4j.engine.spi.EmbeddingKernel;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.RowCodec;
import io.attention4j.engine.tensor.Storage;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Rows of a table on the device are decoded there; ids that follow each other, as that of a single
 * token, are arguments of the kernel, and others a list that is uploaded. Of a table in host memory
 * the rows are decoded by the host and uploaded.
 */
final class OpenClEmbedding implements EmbeddingKernel, AutoCloseable {
  private static final int PIECE = 16;
  private static final long[] ONE_ITEM = {1, 1};

  private final ClContext context;
  private final ClTable rowIds;

  OpenClEmbedding(ClContext context) {
    this.context = context;
    this.rowIds = new ClTable(context);
  }

  @Override
  public Support supports(DType type) {
    return WeightTypes.supports(type);
  }

  @Override
  public synchronized void run(Tensor table, int[] ids, int rows, Tensor out) {
    TensorChecks.requireEmbedding(table, ids, rows, out);
    if (WeightTypes.supports(table.dtype()) instanceof Support.No no) {
      throw new IllegalArgumentException(no.reason());
    }
    if (rows == 0) {
      return;
    }
    ClBuffer target = DeviceMemory.of("out", out, context);
    if (table.storage() instanceof Storage.Host) {
      upload(table, ids, rows, out, target);
    } else {
      decode(table, ids, rows, out, target);
    }
  }

  private void upload(Tensor table, int[] ids, int rows, Tensor out, ClBuffer target) {
    int dim = Math.toIntExact(table.extent(1));
    RowCodec codec = RowCodec.of(table.dtype());
    float[] row = new float[dim];
    MemorySegment source = table.segment();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment staged = arena.allocate((long) rows * dim * Float.BYTES, Float.BYTES);
      for (int r = 0; r < rows; r++) {
        codec.decode(source, table.dtype().bytes(ids[r] * table.stride(0)), row, 0, dim);
        MemorySegment.copy(row, 0, staged, Tensor.FLOAT, (long) r * dim * Float.BYTES, dim);
      }
      context.write(staged, target, out.byteOffset());
    }
  }

  private void decode(Tensor table, int[] ids, int rows, Tensor out, ClBuffer target) {
    boolean listed = false;
    for (int r = 1; r < rows; r++) {
      listed |= ids[r] != ids[0] + r;
    }
    ClBuffer memory = DeviceMemory.of("table", table, context);
    int dim = Math.toIntExact(table.extent(1));
    context.launch(
        WeightTypes.source("embedding", table.dtype(), false, false),
        "embed",
        new long[] {Math.ceilDiv(dim, PIECE), rows},
        ONE_ITEM,
        memory,
        table.byteOffset(),
        table.dtype().bytes(table.stride(0)),
        dim,
        listed ? list(ids, rows) : memory,
        listed ? 1 : 0,
        ids[0],
        target,
        DeviceMemory.floatOffset(out));
  }

  private ClBuffer list(int[] ids, int rows) {
    rowIds.clear();
    for (int r = 0; r < rows; r++) {
      rowIds.add(ids[r]);
    }
    return rowIds.upload();
  }

  @Override
  public void close() {
    rowIds.close();
  }
}
