package io.attention4j.cli.conformance;

import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.RopeKernel;
import io.attention4j.engine.spi.RopeSpec;
import io.attention4j.engine.tensor.Tensor;
import java.util.Map;

/** ONNX {@code RotaryEmbedding}: angles come from caches, by position id or row by row. */
final class OnnxRotaryEmbedding implements OnnxOperator {
  @Override
  public Map<String, double[]> compute(OnnxCase c, KernelSelector kernels) {
    OnnxTensor x = c.input("X");
    boolean flat = x.rank() == 3;
    int heads = flat ? c.integer("num_heads", 0) : x.extent(1);
    if (heads < 1) {
      throw new IllegalArgumentException("num_heads " + heads + " must be at least 1");
    }
    int batch = x.extent(0);
    int rowsPerSequence = x.extent(-2);
    int rows = batch * rowsPerSequence;
    int headDim = flat ? x.extent(2) / heads : x.extent(3);
    int rotaryDim = c.integer("rotary_embedding_dim", 0);
    RopeSpec spec =
        new RopeSpec(
            headDim,
            rotaryDim == 0 ? headDim : rotaryDim,
            c.integer("interleaved", 0) != 0
                ? RopeSpec.Layout.INTERLEAVED
                : RopeSpec.Layout.HALF_SPLIT);
    int pairs = spec.rotaryDim() / 2;
    try (DeviceData data = new DeviceData(kernels.device())) {
      Tensor rotated = data.floats(x.rowsFirst(heads), rows, heads, headDim);
      Tensor cos = data.floats(angles(c, "cos_cache", rows, pairs), rows, pairs);
      Tensor sin = data.floats(angles(c, "sin_cache", rows, pairs), rows, pairs);
      kernels.select(RopeKernel.class, spec).run(spec, rotated, rows, cos, sin);
      float[] out = data.read(rotated);
      return Map.of(
          "Y",
          flat
              ? OnnxTensor.doubles(out)
              : OnnxTensor.headsFirst(out, batch, heads, rowsPerSequence, headDim));
    }
  }

  private static float[] angles(OnnxCase c, String slot, int rows, int pairs) {
    OnnxTensor cache = c.input(slot);
    OnnxTensor positions = c.inputs().get("position_ids");
    float[] angles = new float[rows * pairs];
    for (int r = 0; r < rows; r++) {
      int entry = positions == null ? r : (int) positions.values()[r];
      for (int i = 0; i < pairs; i++) {
        angles[r * pairs + i] = (float) cache.values()[entry * pairs + i];
      }
    }
    return angles;
  }
}
