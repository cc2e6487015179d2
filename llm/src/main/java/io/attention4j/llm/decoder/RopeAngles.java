package io.attention4j.llm.decoder;

import io.attention4j.engine.operator.RopeTable;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Storage;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.architecture.ModelConfig;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Cosines and sines of one rotation for the rows of a step. */
final class RopeAngles {
  private final RopeFrequencies frequencies;
  private final RopeTable table;
  private final HostCopy cos;
  private final HostCopy sin;

  RopeAngles(
      ModelConfig.Rope rope,
      int contextTokens,
      int maxRows,
      Device device,
      Device.TensorArena arena,
      Arena hostArena) {
    frequencies = RopeFrequencies.of(rope, contextTokens);
    int pairs = rope.spec().rotaryDim() / 2;
    table =
        new RopeTable(
            rope.spec(),
            arena.allocate(DType.F32, maxRows, pairs),
            arena.allocate(DType.F32, maxRows, pairs),
            frequencies.perPosition(),
            frequencies.factor());
    cos = new HostCopy(table.cos(), device, hostArena);
    sin = new HostCopy(table.sin(), device, hostArena);
  }

  RopeTable table() {
    return table;
  }

  /** Computes the angles of the first rows in float64, each rounded once. */
  void fill(int[] positions, int rows) {
    double[] perPosition = frequencies.perPosition();
    double factor = frequencies.factor();
    MemorySegment cosines = cos.memory();
    MemorySegment sines = sin.memory();
    long at = 0;
    for (int row = 0; row < rows; row++) {
      int position = positions[row];
      for (double frequency : perPosition) {
        double angle = position * frequency;
        cosines.set(Tensor.FLOAT, at, (float) (factor * Math.cos(angle)));
        sines.set(Tensor.FLOAT, at, (float) (factor * Math.sin(angle)));
        at += Float.BYTES;
      }
    }
    cos.upload(rows);
    sin.upload(rows);
  }

  /** Host memory of a tensor: its own, or a staging buffer of which the first rows are uploaded. */
  private static final class HostCopy {
    private final Device device;
    private final MemorySegment memory;
    private final Tensor[] firstRows; // [i]: the first 2^i rows, null for host tensors
    private final MemorySegment[] firstBytes;

    HostCopy(Tensor tensor, Device device, Arena hostArena) {
      this.device = device;
      if (tensor.storage() instanceof Storage.Host) {
        memory = tensor.segment();
        firstRows = null;
        firstBytes = null;
        return;
      }
      memory = hostArena.allocate(tensor.byteSize(), Tensor.ALIGNMENT_BYTES);
      long rows = tensor.extent(0);
      int views = 64 - Long.numberOfLeadingZeros(Math.max(1, rows - 1));
      firstRows = new Tensor[views + 1];
      firstBytes = new MemorySegment[views + 1];
      for (int i = 0; i <= views; i++) {
        firstRows[i] = tensor.slice(0, 0, Math.min(rows, 1L << i));
        firstBytes[i] = memory.asSlice(0, firstRows[i].byteSize());
      }
    }

    MemorySegment memory() {
      return memory;
    }

    void upload(int rows) {
      if (firstRows != null && rows > 0) {
        int view = 32 - Integer.numberOfLeadingZeros(rows - 1);
        device.upload(firstBytes[view], firstRows[view]);
      }
    }
  }
}
