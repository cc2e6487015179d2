package io.attention4j.llm.decoder;

import io.attention4j.engine.operator.RopeTable;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.EmbeddingKernel;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Storage;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.architecture.ModelConfig;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Cosines and sines of one rotation for the rows of a step, computed in float64 and each rounded
 * once. In host memory a step computes its own; a device has those of every position and gathers,
 * so that positions cross the bus and no angles.
 */
final class RopeAngles {
  private final RopeFrequencies frequencies;
  private final RopeTable table;

  // In host memory.
  private final MemorySegment cosines;
  private final MemorySegment sines;

  // On a device.
  private final EmbeddingKernel gather;
  private final Tensor allCos;
  private final Tensor allSin;

  RopeAngles(
      ModelConfig.Rope rope,
      int contextTokens,
      int maxRows,
      KernelSelector kernels,
      Device.TensorArena arena) {
    frequencies = RopeFrequencies.of(rope, contextTokens);
    int pairs = rope.spec().rotaryDim() / 2;
    table =
        new RopeTable(
            rope.spec(),
            arena.allocate(DType.F32, maxRows, pairs),
            arena.allocate(DType.F32, maxRows, pairs),
            frequencies.perPosition(),
            frequencies.factor());
    if (table.cos().storage() instanceof Storage.Host) {
      cosines = table.cos().segment();
      sines = table.sin().segment();
      gather = null;
      allCos = null;
      allSin = null;
      return;
    }
    cosines = null;
    sines = null;
    gather = kernels.select(EmbeddingKernel.class, DType.F32);
    allCos = arena.allocate(DType.F32, contextTokens, pairs);
    allSin = arena.allocate(DType.F32, contextTokens, pairs);
    int[] positions = new int[contextTokens];
    for (int i = 0; i < contextTokens; i++) {
      positions[i] = i;
    }
    try (Arena host = Arena.ofConfined()) {
      MemorySegment cos = host.allocate(allCos.byteSize(), Tensor.ALIGNMENT_BYTES);
      MemorySegment sin = host.allocate(allSin.byteSize(), Tensor.ALIGNMENT_BYTES);
      compute(positions, contextTokens, cos, sin);
      kernels.device().upload(cos, allCos);
      kernels.device().upload(sin, allSin);
    }
  }

  /** Bytes of the angles that a device keeps, all rotations of a model. */
  static long deviceBytes(ModelConfig config, int contextTokens) {
    long elements = 0;
    for (ModelConfig.Rope rope : config.attention().ropes()) {
      elements += 2L * contextTokens * (rope.spec().rotaryDim() / 2);
    }
    return elements * Float.BYTES;
  }

  RopeTable table() {
    return table;
  }

  /** Sets the angles of the first rows. */
  void fill(int[] positions, int rows) {
    if (gather != null) {
      gather.run(allCos, positions, rows, table.cos());
      gather.run(allSin, positions, rows, table.sin());
    } else {
      compute(positions, rows, cosines, sines);
    }
  }

  private void compute(int[] positions, int rows, MemorySegment cos, MemorySegment sin) {
    double[] perPosition = frequencies.perPosition();
    double factor = frequencies.factor();
    long at = 0;
    for (int row = 0; row < rows; row++) {
      int position = positions[row];
      for (double frequency : perPosition) {
        double angle = position * frequency;
        cos.set(Tensor.FLOAT, at, (float) (factor * Math.cos(angle)));
        sin.set(Tensor.FLOAT, at, (float) (factor * Math.sin(angle)));
        at += Float.BYTES;
      }
    }
  }
}
