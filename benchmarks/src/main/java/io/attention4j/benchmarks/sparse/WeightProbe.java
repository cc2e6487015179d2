package io.attention4j.benchmarks.sparse;

import io.attention4j.engine.runtime.KernelSelector;

/**
 * The weights that an operator gives, whatever it is: its outputs where the values are one-hot, as
 * many keys at a time as a head has elements.
 */
final class WeightProbe {
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
      float[] oneHot = new float[input.v().length];
      for (int key = first; key < Math.min(tokens, first + dim); key++) {
        for (int h = 0; h < input.kvHeads(); h++) {
          oneHot[(key * input.kvHeads() + h) * dim + key - first] = 1;
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
                  oneHot);
          LayerRun run = new LayerRun(kernels, data, option, "f32", causal)) {
        run.prefill();
        sink.accept(first, data.out().toFloats());
      }
    }
  }
}
