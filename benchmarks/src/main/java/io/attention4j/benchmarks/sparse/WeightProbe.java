package io.attention4j.benchmarks.sparse;

import io.attention4j.engine.runtime.KernelSelector;

/**
 * The weights that an operator gives, whatever it is: its outputs where the values have further
 * elements, which are one-hot, for as many keys at a time as a head has elements. These are small,
 * since some operators choose by values.
 */
final class WeightProbe {
  /** Too small to sway a choice by values; a power of two, so that weights stay what they are. */
  private static final float HOT = 0x1p-12f;

  private WeightProbe() {}

  /** Takes the weights of some keys. */
  @FunctionalInterface
  interface Sink {
    /**
     * Weights of keys [firstKey, firstKey + headDim).
     *
     * @param weights [row][queryHead][headDim], zero past the last key
     */
    void accept(int firstKey, float[] weights);
  }

  /** Probes an operator. */
  static void run(
      KernelSelector kernels, LayerInput input, String option, boolean causal, Sink sink) {
    int tokens = input.tokens();
    int dim = input.headDim();
    for (int first = 0; first < tokens; first += dim) {
      float[] values = new float[2 * input.v().length];
      for (int at = 0; at < input.v().length; at += dim) {
        System.arraycopy(input.v(), at, values, 2 * at, dim);
      }
      for (int key = first; key < Math.min(tokens, first + dim); key++) {
        for (int h = 0; h < input.kvHeads(); h++) {
          values[(2 * (key * input.kvHeads() + h) + 1) * dim + key - first] = HOT;
        }
      }
      try (LayerData data =
              LayerData.of(
                  kernels.device(),
                  input.queryHeads(),
                  input.kvHeads(),
                  dim,
                  input.q(),
                  input.k(),
                  values);
          LayerRun run = new LayerRun(kernels, data, option, "f32", causal)) {
        run.prefill();
        sink.accept(first, weights(data.out().toFloats(), dim));
      }
    }
  }

  /** The second half of every head's outputs. */
  private static float[] weights(float[] outputs, int dim) {
    float[] weights = new float[outputs.length / 2];
    for (int at = 0; at < weights.length; at += dim) {
      for (int d = 0; d < dim; d++) {
        weights[at + d] = outputs[2 * at + dim + d] / HOT;
      }
    }
    return weights;
  }
}
