package io.attention4j.cli.conformance;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.AttentionInputs;
import io.attention4j.engine.attention.AttentionOutputs;
import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.attention.Normalizer;
import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.attention.ScoreModifier;
import io.attention4j.engine.attention.Selection;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.AttentionKernel;
import io.attention4j.engine.spi.AttentionPlan;
import io.attention4j.engine.spi.DeviceOptions;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * ONNX {@code Attention} (opset 23 and 24). The soft cap comes before the mask; a boolean mask is
 * {@link Mask.Bits}, a float one {@link ScoreModifier.AdditiveBias}; causal is top-left without a
 * cache, starts after the past with one, and is bottom-right with {@code nonpad_kv_seqlen}.
 */
final class OnnxAttention implements OnnxOperator {
  /** Output that no kernel gives as such; see {@link #scores}. */
  static final String QK_OUTPUT = "qk_matmul_output";

  /** The sizes of a case. */
  private record Sizes(
      int batch,
      int queryHeads,
      int kvHeads,
      int rows,
      int newKeys,
      int pastKeys,
      int headDim,
      int valueDim,
      boolean half) {
    static Sizes of(OnnxCase c) {
      OnnxTensor q = c.input("Q");
      OnnxTensor k = c.input("K");
      OnnxTensor v = c.input("V");
      boolean flat = q.rank() == 3;
      int queryHeads = flat ? c.integer("q_num_heads", 0) : q.extent(1);
      int kvHeads = flat ? c.integer("kv_num_heads", 0) : k.extent(1);
      boolean fits =
          (flat || q.rank() == 4)
              && k.rank() == q.rank()
              && v.rank() == q.rank()
              && k.extent(0) == q.extent(0)
              && v.extent(0) == q.extent(0)
              && k.extent(-2) == v.extent(-2)
              && queryHeads > 0
              && kvHeads > 0;
      if (!fits) {
        throw new IllegalArgumentException(
            "Q "
                + Arrays.toString(q.shape())
                + ", K "
                + Arrays.toString(k.shape())
                + " and V "
                + Arrays.toString(v.shape())
                + " do not fit together");
      }
      OnnxTensor past = c.inputs().get("past_key");
      return new Sizes(
          q.extent(0),
          queryHeads,
          kvHeads,
          q.extent(-2),
          k.extent(-2),
          past == null ? 0 : past.extent(2),
          flat ? q.extent(2) / queryHeads : q.extent(3),
          flat ? v.extent(2) / kvHeads : v.extent(3),
          q.dtype().equals("float16"));
    }

    int keys() {
      return pastKeys + newKeys;
    }
  }

  @Override
  public Map<String, double[]> compute(OnnxCase c, KernelSelector kernels) {
    Sizes sizes = Sizes.of(c);
    Map<String, double[]> outputs = new LinkedHashMap<>();
    try (DeviceData data = new DeviceData(kernels.device())) {
      PagedCache cache = cache(c, sizes, kernels, data);
      float[] out = attend(c, sizes, kernels, data, cache.table(lengths(c, sizes)), spec(c, sizes));
      boolean flat = c.input("Q").rank() == 3;
      outputs.put(
          "Y",
          flat
              ? OnnxTensor.doubles(out)
              : OnnxTensor.headsFirst(
                  out, sizes.batch, sizes.queryHeads, sizes.rows, sizes.valueDim));
      if (c.outputs().containsKey("present_key")) {
        outputs.put("present_key", cache.keys(data));
        outputs.put("present_value", cache.values(data));
      }
    }
    if (c.outputs().containsKey(QK_OUTPUT)) {
      outputs.put(QK_OUTPUT, scores(c, sizes));
    }
    return outputs;
  }

  private static PagedCache cache(
      OnnxCase c, Sizes sizes, KernelSelector kernels, DeviceData data) {
    PagedCache cache =
        new PagedCache(
            kernels,
            data,
            sizes.half,
            sizes.batch,
            sizes.kvHeads,
            sizes.keys(),
            sizes.headDim,
            sizes.valueDim);
    if (sizes.pastKeys > 0) {
      store(cache, data, sizes, c.input("past_key"), c.input("past_value"), sizes.pastKeys, 0);
    }
    store(cache, data, sizes, c.input("K"), c.input("V"), sizes.newKeys, sizes.pastKeys);
    return cache;
  }

  private static void store(
      PagedCache cache,
      DeviceData data,
      Sizes sizes,
      OnnxTensor keys,
      OnnxTensor values,
      int count,
      int slot) {
    int rows = sizes.batch * count;
    Tensor k = data.floats(keys.rowsFirst(sizes.kvHeads), rows, sizes.kvHeads, sizes.headDim);
    Tensor v = data.floats(values.rowsFirst(sizes.kvHeads), rows, sizes.kvHeads, sizes.valueDim);
    for (int s = 0; s < sizes.batch; s++) {
      cache.write(s, k, v, s * count, count, slot);
    }
  }

  private static AttentionSpec spec(OnnxCase c, Sizes sizes) {
    OnnxTensor mask = c.inputs().get("attn_mask");
    List<Mask> masks = new ArrayList<>();
    List<ScoreModifier> modifiers = new ArrayList<>();
    double softCap = c.number("softcap", 0);
    if (softCap > 0) {
      modifiers.add(new ScoreModifier.SoftCap((float) softCap));
    }
    if (c.integer("is_causal", 0) != 0) {
      masks.add(new Mask.Causal());
    }
    if (mask != null && mask.dtype().equals("bool")) {
      masks.add(new Mask.Bits());
    } else if (mask != null) {
      modifiers.add(new ScoreModifier.AdditiveBias());
    }
    double scale = c.number("scale", 0);
    return AttentionSpec.builder(sizes.queryHeads, sizes.kvHeads, sizes.headDim)
        .valueDim(sizes.valueDim)
        .scale((float) (scale == 0 ? 1 / Math.sqrt(sizes.headDim) : scale))
        .mask(
            switch (masks.size()) {
              case 0 -> new Mask.All();
              case 1 -> masks.getFirst();
              default -> new Mask.AllOf(masks);
            })
        .modifiers(modifiers.toArray(ScoreModifier[]::new))
        .formats(format(sizes), format(sizes))
        .build();
  }

  private static KvFormat format(Sizes sizes) {
    return sizes.half ? KvFormat.F16 : KvFormat.F32;
  }

  private static int[] lengths(OnnxCase c, Sizes sizes) {
    OnnxTensor nonPad = c.inputs().get("nonpad_kv_seqlen");
    int[] lengths = new int[sizes.batch];
    for (int s = 0; s < sizes.batch; s++) {
      lengths[s] = nonPad == null ? sizes.keys() : (int) nonPad.values()[s];
    }
    return lengths;
  }

  private static AttentionBatch batch(OnnxCase c, Sizes sizes, DeviceData data) {
    AttentionBatch batch = new AttentionBatch();
    int[] lengths = lengths(c, sizes);
    boolean padded = c.inputs().containsKey("nonpad_kv_seqlen");
    for (int s = 0; s < sizes.batch; s++) {
      batch.add(sizes.rows, padded ? lengths[s] - sizes.rows : sizes.pastKeys);
    }
    OnnxTensor mask = c.inputs().get("attn_mask");
    if (mask != null) {
      addMask(mask, sizes.keys(), data, batch);
    }
    return batch;
  }

  /** The mask as rank 4 with one column per key; missing columns hide, a single one repeats. */
  private static void addMask(OnnxTensor mask, int keys, DeviceData data, AttentionBatch batch) {
    long[] extents = {1, 1, 1, keys};
    for (int i = 1; i < mask.rank(); i++) {
      extents[3 - i] = mask.extent(-1 - i);
    }
    int columns = mask.extent(-1);
    int outer = mask.product(0, mask.rank() - 1);
    boolean bool = mask.dtype().equals("bool");
    float[] values = new float[outer * keys];
    for (int i = 0; i < values.length; i++) {
      int column = columns == 1 ? 0 : i % keys;
      values[i] =
          column < columns
              ? (float) mask.values()[i / keys * columns + column]
              : bool ? 0 : Float.NEGATIVE_INFINITY;
    }
    if (bool) {
      byte[] bits = new byte[values.length];
      for (int i = 0; i < bits.length; i++) {
        bits[i] = (byte) (values[i] != 0 ? 1 : 0);
      }
      batch.maskBits(data.bytes(bits, extents));
    } else {
      batch.bias(data.floats(values, extents));
    }
  }

  private static float[] attend(
      OnnxCase c,
      Sizes sizes,
      KernelSelector kernels,
      DeviceData data,
      PagedKv table,
      AttentionSpec spec) {
    int rows = sizes.batch * sizes.rows;
    Tensor q =
        data.floats(
            c.input("Q").rowsFirst(sizes.queryHeads), rows, sizes.queryHeads, sizes.headDim);
    Tensor out = data.zeros(DType.F32, rows, sizes.queryHeads, spec.valueDim());
    try (AttentionPlan plan = kernels.select(AttentionKernel.class, spec).plan(spec)) {
      plan.run(
          batch(c, sizes, data),
          new AttentionInputs(q, table, Selection.NONE),
          new AttentionOutputs(out, null));
    }
    return data.read(out);
  }

  /**
   * The scores or weights themselves, from the reference kernels: with the identity matrix as
   * values, output j of a row is the weight of key j. Mode 0: scaled scores, 1: after the soft cap,
   * 2: after the mask (-inf where hidden), 3: after softmax.
   */
  private static double[] scores(OnnxCase c, Sizes sizes) {
    int mode = c.integer("qk_matmul_output_mode", 0);
    int keys = sizes.keys();
    try (KernelSelector reference = KernelSelector.open("reference", DeviceOptions.DEFAULTS);
        DeviceData data = new DeviceData(reference.device())) {
      PagedCache cache = identityCache(c, sizes, reference, data);
      PagedKv table = cache.table(lengths(c, sizes));
      AttentionSpec full = spec(c, sizes);
      List<ScoreModifier> modifiers =
          switch (mode) {
            case 0 -> List.of();
            case 1 ->
                full.modifiers().stream().filter(m -> m instanceof ScoreModifier.SoftCap).toList();
            default -> full.modifiers();
          };
      AttentionSpec spec =
          AttentionSpec.builder(sizes.queryHeads, sizes.kvHeads, sizes.headDim)
              .valueDim(keys)
              .scale(full.scale())
              .mask(mode < 2 ? new Mask.All() : full.mask())
              .modifiers(modifiers.toArray(ScoreModifier[]::new))
              .normalizer(mode == 3 ? new Normalizer.Softmax() : new Normalizer.None())
              .formats(format(sizes), format(sizes))
              .build();
      float[] weights = attend(c, sizes, reference, data, table, spec);
      if (mode == 2) {
        hide(c, sizes, reference, data, table, spec, weights);
      }
      return OnnxTensor.headsFirst(weights, sizes.batch, sizes.queryHeads, sizes.rows, keys);
    }
  }

  /**
   * A hidden key's weight is 0, but its masked score is -inf: weights of 1 tell which are hidden.
   */
  private static void hide(
      OnnxCase c,
      Sizes sizes,
      KernelSelector reference,
      DeviceData data,
      PagedKv table,
      AttentionSpec spec,
      float[] weights) {
    List<ScoreModifier> modifiers = new ArrayList<>(spec.modifiers());
    modifiers.add(
        new ScoreModifier.Custom(
            (x, sequence, head, query, key) -> x == Double.NEGATIVE_INFINITY ? x : 1));
    AttentionSpec ones =
        AttentionSpec.builder(sizes.queryHeads, sizes.kvHeads, sizes.headDim)
            .valueDim(spec.valueDim())
            .mask(spec.mask())
            .modifiers(modifiers.toArray(ScoreModifier[]::new))
            .normalizer(new Normalizer.None())
            .formats(format(sizes), format(sizes))
            .build();
    float[] visible = attend(c, sizes, reference, data, table, ones);
    for (int i = 0; i < weights.length; i++) {
      weights[i] = visible[i] == 0 ? Float.NEGATIVE_INFINITY : weights[i];
    }
  }

  private static PagedCache identityCache(
      OnnxCase c, Sizes sizes, KernelSelector kernels, DeviceData data) {
    int keys = sizes.keys();
    PagedCache cache =
        new PagedCache(
            kernels, data, sizes.half, sizes.batch, sizes.kvHeads, keys, sizes.headDim, keys);
    if (sizes.pastKeys > 0) {
      storeUnits(cache, data, sizes, c.input("past_key"), sizes.pastKeys, 0);
    }
    storeUnits(cache, data, sizes, c.input("K"), sizes.newKeys, sizes.pastKeys);
    return cache;
  }

  private static void storeUnits(
      PagedCache cache, DeviceData data, Sizes sizes, OnnxTensor keys, int count, int slot) {
    int rows = sizes.batch * count;
    int dim = sizes.keys();
    float[] units = new float[rows * sizes.kvHeads * dim];
    for (int i = 0; i < rows * sizes.kvHeads; i++) {
      units[i * dim + slot + i / sizes.kvHeads % count] = 1;
    }
    Tensor k = data.floats(keys.rowsFirst(sizes.kvHeads), rows, sizes.kvHeads, sizes.headDim);
    Tensor v = data.floats(units, rows, sizes.kvHeads, dim);
    for (int s = 0; s < sizes.batch; s++) {
      cache.write(s, k, v, s * count, count, slot);
    }
  }
}
