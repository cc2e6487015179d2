package io.attention4j.cli.conformance;

import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.LinearScanInputs;
import io.attention4j.engine.spi.LinearScanKernel;
import io.attention4j.engine.spi.LinearScanSpec;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.util.Arrays;
import java.util.Map;

/**
 * ONNX {@code LinearAttention}: heads packed into the last dimension, one state per key-value head.
 */
final class OnnxLinearAttention implements OnnxOperator {
  @Override
  public Map<String, double[]> compute(OnnxCase c, KernelSelector kernels) {
    SkippedCaseException.requireKernel(kernels, LinearScanKernel.class);
    OnnxTensor q = c.input("query");
    OnnxTensor past = c.inputs().get("past_state");
    if (q.rank() != 3) {
      throw new IllegalArgumentException(
          "query must be [batch, rows, heads * dim], not " + Arrays.toString(q.shape()));
    }
    int batch = q.extent(0);
    int rows = q.extent(1);
    LinearScanSpec spec = spec(c, q, c.input("value"));
    int states = spec.stateHeads();
    float[] k = packed(c, "key", batch, rows, states * spec.keyDim());
    float[] v = packed(c, "value", batch, rows, states * spec.valueDim());
    float[] decay = spec.decay() == LinearScanSpec.Decay.NONE ? null : c.input("decay").floats();
    float[] beta = spec.write() == LinearScanSpec.Write.ADD ? null : beta(c, batch, rows, states);
    int stateSize = states * spec.keyDim() * spec.valueDim();
    if (past != null && past.values().length != batch * stateSize) {
      throw new IllegalArgumentException(
          "past_state is "
              + Arrays.toString(past.shape())
              + " but must be "
              + Arrays.toString(new int[] {batch, states, spec.keyDim(), spec.valueDim()}));
    }
    double[] output = new double[batch * rows * spec.queryHeads() * spec.valueDim()];
    double[] present = new double[batch * stateSize];
    LinearScanKernel kernel = kernels.select(LinearScanKernel.class, spec);
    try (DeviceData data = new DeviceData(kernels.device())) {
      for (int s = 0; s < batch; s++) {
        LinearScanInputs in =
            new LinearScanInputs(
                part(data, q.floats(), batch, s, rows),
                part(data, k, batch, s, rows),
                part(data, v, batch, s, rows),
                part(data, decay, batch, s, rows),
                part(data, beta, batch, s, rows));
        Tensor state =
            past == null
                ? data.zeros(DType.F32, states, spec.keyDim(), spec.valueDim())
                : part(data, past.floats(), batch, s, states);
        Tensor out = data.zeros(DType.F32, rows, spec.queryHeads(), spec.valueDim());
        kernel.run(spec, in, rows, state, out);
        store(data.read(out), output, s);
        store(data.read(state), present, s);
      }
    }
    return Map.of("output", output, "present_state", present);
  }

  private static LinearScanSpec spec(OnnxCase c, OnnxTensor q, OnnxTensor v) {
    int queryHeads = c.integer("q_num_heads", 0);
    int stateHeads = c.integer("kv_num_heads", 0);
    if (queryHeads < 1 || stateHeads < 1) {
      throw new IllegalArgumentException(
          "q_num_heads " + queryHeads + " and kv_num_heads " + stateHeads + " must be at least 1");
    }
    int keyDim = q.extent(-1) / queryHeads;
    double scale = c.number("scale", 0);
    String rule = c.word("update_rule", "gated_delta");
    boolean gated = rule.startsWith("gated");
    boolean delta = rule.endsWith("delta");
    if (!gated && !delta && !rule.equals("linear")) {
      throw new IllegalArgumentException(
          "update_rule '" + rule + "' must be linear, gated, delta or gated_delta");
    }
    return new LinearScanSpec(
        queryHeads,
        stateHeads,
        keyDim,
        v.extent(-1) / stateHeads,
        (float) (scale == 0 ? 1 / Math.sqrt(keyDim) : scale),
        gated ? decay(c, q, stateHeads, keyDim) : LinearScanSpec.Decay.NONE,
        delta ? LinearScanSpec.Write.DELTA : LinearScanSpec.Write.ADD);
  }

  private static LinearScanSpec.Decay decay(OnnxCase c, OnnxTensor q, int stateHeads, int keyDim) {
    OnnxTensor decay = c.input("decay");
    int rows = q.extent(0) * q.extent(1);
    if (decay.values().length == rows * stateHeads * keyDim) {
      return LinearScanSpec.Decay.KEY;
    }
    if (decay.values().length == rows * stateHeads) {
      return LinearScanSpec.Decay.HEAD;
    }
    throw new IllegalArgumentException(
        "decay is "
            + Arrays.toString(decay.shape())
            + " but its last extent must be kv_num_heads "
            + stateHeads
            + ", or that times the head dimension "
            + keyDim);
  }

  /** One beta per head; a single one per token holds for all heads. */
  private static float[] beta(OnnxCase c, int batch, int rows, int stateHeads) {
    OnnxTensor beta = c.input("beta");
    if (beta.extent(-1) == stateHeads) {
      return packed(c, "beta", batch, rows, stateHeads);
    }
    float[] single = packed(c, "beta", batch, rows, 1);
    float[] spread = new float[single.length * stateHeads];
    for (int i = 0; i < spread.length; i++) {
      spread[i] = single[i / stateHeads];
    }
    return spread;
  }

  private static float[] packed(OnnxCase c, String slot, int... shape) {
    OnnxTensor tensor = c.input(slot);
    if (!Arrays.equals(tensor.shape(), shape)) {
      throw new IllegalArgumentException(
          slot
              + " is "
              + Arrays.toString(tensor.shape())
              + " but must be "
              + Arrays.toString(shape));
    }
    return tensor.floats();
  }

  /** Sequence s of [batch, rows, ...], or null for null. */
  private static Tensor part(DeviceData data, float[] values, int batch, int s, int rows) {
    if (values == null) {
      return null;
    }
    int size = values.length / batch;
    return data.floats(
        Arrays.copyOfRange(values, s * size, (s + 1) * size), rows, rows == 0 ? 0 : size / rows);
  }

  private static void store(float[] values, double[] target, int s) {
    System.arraycopy(OnnxTensor.doubles(values), 0, target, s * values.length, values.length);
  }
}
