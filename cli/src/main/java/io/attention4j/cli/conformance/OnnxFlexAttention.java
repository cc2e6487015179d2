package io.attention4j.cli.conformance;

import com.fasterxml.jackson.databind.JsonNode;
import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.AttentionInputs;
import io.attention4j.engine.attention.AttentionOutputs;
import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.attention.ScoreModifier;
import io.attention4j.engine.attention.Selection;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.AttentionKernel;
import io.attention4j.engine.spi.AttentionPlan;
import io.attention4j.engine.spi.ElementwiseKernel;
import io.attention4j.engine.spi.ElementwiseKernel.Operation;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.util.Arrays;
import java.util.Map;

/**
 * ONNX {@code FlexAttention}. A {@code score_mod} that adds something which does not depend on the
 * score (a bias, relative positions, a mask of -inf) becomes an additive bias and c tanh(x / c) a
 * soft cap, which fast kernels take; any other graph becomes a custom modifier. A {@code prob_mod}
 * can only be a constant factor: it scales the output.
 */
final class OnnxFlexAttention implements OnnxOperator {
  private static final double[] PROBES = {0, 1, -2.5};

  @Override
  public Map<String, double[]> compute(OnnxCase c, KernelSelector kernels) {
    OnnxTensor q = c.input("Q");
    OnnxTensor k = c.input("K");
    OnnxTensor v = c.input("V");
    if (q.rank() != 4 || k.rank() != 4 || v.rank() != 4 || k.extent(2) != v.extent(2)) {
      throw new IllegalArgumentException(
          "Q, K and V must be [batch, heads, rows, dim], not "
              + Arrays.toString(q.shape())
              + ", "
              + Arrays.toString(k.shape())
              + " and "
              + Arrays.toString(v.shape()));
    }
    int batch = q.extent(0);
    int heads = q.extent(1);
    int rows = q.extent(2);
    int keys = k.extent(2);
    int kvHeads = k.extent(1);
    double probability =
        probabilityFactor(c.attributes().path("prob_mod"), batch, heads, rows, keys);
    try (DeviceData data = new DeviceData(kernels.device())) {
      boolean half = q.dtype().equals("float16");
      PagedCache cache =
          new PagedCache(kernels, data, half, batch, kvHeads, keys, q.extent(3), v.extent(3));
      Tensor keyRows = data.floats(k.rowsFirst(kvHeads), batch * keys, kvHeads, q.extent(3));
      Tensor valueRows = data.floats(v.rowsFirst(kvHeads), batch * keys, kvHeads, v.extent(3));
      AttentionBatch step = new AttentionBatch();
      int[] lengths = new int[batch];
      for (int s = 0; s < batch; s++) {
        cache.write(s, keyRows, valueRows, s * keys, keys, 0);
        step.add(rows, 0);
        lengths[s] = keys;
      }
      ScoreModifier[] modifiers =
          modifiers(c.attributes().path("score_mod"), data, step, batch, heads, rows, keys);
      KvFormat format = half ? KvFormat.F16 : KvFormat.F32;
      double scale = c.number("scale", 0);
      AttentionSpec spec =
          AttentionSpec.builder(heads, kvHeads, q.extent(3))
              .valueDim(v.extent(3))
              .scale((float) (scale == 0 ? 1 / Math.sqrt(q.extent(3)) : scale))
              .mask(new Mask.All())
              .modifiers(modifiers)
              .formats(format, format)
              .build();
      Tensor queries = data.floats(q.rowsFirst(heads), batch * rows, heads, q.extent(3));
      Tensor out = data.zeros(DType.F32, batch * rows, heads, v.extent(3));
      try (AttentionPlan plan = kernels.select(AttentionKernel.class, spec).plan(spec)) {
        plan.run(
            step,
            new AttentionInputs(queries, cache.table(lengths), Selection.NONE),
            new AttentionOutputs(out, null));
      }
      if (probability != 1) {
        kernels
            .select(ElementwiseKernel.class, Operation.SCALE)
            .run(Operation.SCALE, out, null, (float) probability, out.shape().elements());
      }
      return Map.of("Y", OnnxTensor.headsFirst(data.read(out), batch, heads, rows, v.extent(3)));
    }
  }

  private static ScoreModifier[] modifiers(
      JsonNode scoreMod,
      DeviceData data,
      AttentionBatch step,
      int batch,
      int heads,
      int rows,
      int keys) {
    if (scoreMod.isMissingNode()) {
      return new ScoreModifier[0];
    }
    ScoreGraph graph = new ScoreGraph(scoreMod);
    double cap = graph.softCap();
    if (cap > 0) {
      return new ScoreModifier[] {new ScoreModifier.SoftCap((float) cap)};
    }
    double[] added = added(graph, batch, heads, rows, keys);
    if (added != null) {
      float[] bias = new float[added.length];
      for (int i = 0; i < bias.length; i++) {
        bias[i] = (float) added[i];
      }
      step.bias(data.floats(bias, batch, heads, rows, keys));
      return new ScoreModifier[] {new ScoreModifier.AdditiveBias()};
    }
    return new ScoreModifier[] {
      new ScoreModifier.Custom(
          (x, sequence, head, query, key) -> {
            double[] scores = new double[batch * heads * rows * keys];
            Arrays.fill(scores, x);
            int at = ((sequence * heads + head) * rows + (int) query) * keys + (int) key;
            return graph.apply(scores, batch, heads, rows, keys)[at];
          })
    };
  }

  /** What the graph adds to every score, or null if that depends on the score. */
  private static double[] added(ScoreGraph graph, int batch, int heads, int rows, int keys) {
    double[] added = null;
    for (double probe : PROBES) {
      double[] scores = new double[batch * heads * rows * keys];
      Arrays.fill(scores, probe);
      double[] difference = graph.apply(scores, batch, heads, rows, keys).clone();
      for (int i = 0; i < difference.length; i++) {
        difference[i] -= probe;
        if (added != null && added[i] != difference[i] && !close(added[i], difference[i])) {
          return null;
        }
      }
      added = difference;
    }
    return added;
  }

  private static boolean close(double a, double b) {
    return Math.abs(a - b) <= 1e-12 * (1 + Math.abs(a));
  }

  /** The factor c of a prob_mod that is c * p for every pair. */
  private static double probabilityFactor(
      JsonNode probMod, int batch, int heads, int rows, int keys) {
    if (probMod.isMissingNode()) {
      return 1;
    }
    double[] ones = new double[batch * heads * rows * keys];
    Arrays.fill(ones, 1);
    double[] of = new ScoreGraph(probMod).apply(ones, batch, heads, rows, keys);
    double[] halves = new double[ones.length];
    Arrays.fill(halves, 0.5);
    double[] ofHalves = new ScoreGraph(probMod).apply(halves, batch, heads, rows, keys);
    for (int i = 0; i < ones.length; i++) {
      if (of[i] != of[0] || !close(ofHalves[i], of[0] / 2)) {
        throw new SkippedCaseException("a prob_mod that is no constant factor");
      }
    }
    return of.length == 0 ? 1 : of[0];
  }
}
