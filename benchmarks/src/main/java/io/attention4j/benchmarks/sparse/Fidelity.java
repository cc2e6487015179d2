package io.attention4j.benchmarks.sparse;

import io.attention4j.benchmarks.measure.Statistics;
import io.attention4j.engine.runtime.KernelSelector;
import java.util.ArrayList;
import java.util.List;

/**
 * How near an operator is to dense attention on some layers.
 *
 * @param error |out - dense| / |dense| over all rows, heads and layers, Euclidean
 * @param recall mean over rows and heads of the dense weight on keys that have a weight
 * @param read mean over rows and heads of the share of visible keys that have a weight
 * @param speedup softmax's time over the operator's, medians of interleaved calls
 */
record Fidelity(double error, double recall, double read, double speedup) {
  private static final int ROUNDS = 3;
  private static final long WARM_UP_NANOS = 100_000_000;

  /** Measures operators on the same layers; the first result is of the first option. */
  static List<Fidelity> of(
      KernelSelector kernels, List<LayerInput> layers, List<String> options, boolean causal) {
    int count = options.size();
    double[] difference = new double[count];
    double[] recall = new double[count];
    double[] read = new double[count];
    double[] seconds = new double[count + 1];
    double size = 0;
    for (LayerInput input : layers) {
      size += compare(kernels, input, options, causal, difference, seconds);
      weigh(kernels, input, options, causal, recall, read);
    }
    List<Fidelity> results = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      results.add(
          new Fidelity(
              Math.sqrt(difference[i] / size),
              recall[i] / layers.size(),
              read[i] / layers.size(),
              seconds[count] / seconds[i]));
    }
    return results;
  }

  /** Adds squared differences and times (softmax's last); returns the squared size of dense. */
  private static double compare(
      KernelSelector kernels,
      LayerInput input,
      List<String> options,
      boolean causal,
      double[] difference,
      double[] seconds) {
    List<LayerRun> runs = new ArrayList<>();
    try (LayerData data =
        LayerData.of(
            kernels.device(),
            input.queryHeads(),
            input.kvHeads(),
            input.headDim(),
            input.q(),
            input.k(),
            input.v())) {
      for (String option : options) {
        runs.add(new LayerRun(kernels, data, option, "f32", causal));
      }
      runs.add(new LayerRun(kernels, data, "softmax", "f32", causal));
      runs.getLast().prefill();
      float[] dense = data.out().toFloats();
      for (int i = 0; i < options.size(); i++) {
        runs.get(i).prefill();
        difference[i] += squaredDistance(data.out().toFloats(), dense);
      }
      runs.forEach(Fidelity::warmUp);
      double[][] times = new double[runs.size()][ROUNDS];
      for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < runs.size(); i++) {
          long start = System.nanoTime();
          runs.get(i).prefill();
          times[i][round] = (System.nanoTime() - start) / 1e9;
        }
      }
      for (int i = 0; i < times.length; i++) {
        seconds[i] += Statistics.median(times[i]);
      }
      return squaredDistance(dense, new float[dense.length]);
    } finally {
      runs.forEach(LayerRun::close);
    }
  }

  private static void warmUp(LayerRun run) {
    long start = System.nanoTime();
    while (System.nanoTime() - start < WARM_UP_NANOS) {
      run.prefill();
    }
  }

  private static double squaredDistance(float[] a, float[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += (a[i] - (double) b[i]) * (a[i] - (double) b[i]);
    }
    return sum;
  }

  /** Adds means over rows and heads. */
  private static void weigh(
      KernelSelector kernels,
      LayerInput input,
      List<String> options,
      boolean causal,
      double[] recall,
      double[] read) {
    List<float[]> dense = new ArrayList<>();
    WeightProbe.run(kernels, input, "softmax", causal, (first, weights) -> dense.add(weights));
    int rowWidth = input.queryHeads() * input.headDim();
    double rows = (double) input.tokens() * input.queryHeads();
    for (int option = 0; option < options.size(); option++) {
      double[] sums = new double[2];
      WeightProbe.run(
          kernels,
          input,
          options.get(option),
          causal,
          (first, weights) -> {
            float[] exact = dense.get(first / input.headDim());
            for (int i = 0; i < weights.length; i++) {
              if (weights[i] != 0) {
                sums[0] += exact[i];
                sums[1] += 1.0 / (causal ? i / rowWidth + 1 : input.tokens());
              }
            }
          });
      recall[option] += sums[0] / rows;
      read[option] += sums[1] / rows;
    }
  }
}
