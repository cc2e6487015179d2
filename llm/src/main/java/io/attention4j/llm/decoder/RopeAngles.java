package io.attention4j.llm.decoder;

import io.attention4j.engine.operator.RopeTable;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.tensor.DType;
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
}
