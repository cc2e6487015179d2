package io.attention4j.sparse;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.operator.AttentionLayer;
import io.attention4j.engine.operator.AttentionOperator;
import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.LayerInputs;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.OperatorContext;
import io.attention4j.engine.operator.Operators;
import io.attention4j.engine.operator.OptionSpec;
import io.attention4j.engine.operator.RopeTable;
import io.attention4j.engine.operator.WeightFiles;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.DeviceOptions;
import io.attention4j.engine.spi.RopeSpec;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kvcache.KvCaches;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;

/** One layer of an operator on some kernels, fed with random queries, keys and values. */
final class OperatorRun implements AutoCloseable {
  static final int QUERY_HEADS = 4;
  static final int KV_HEADS = 2;
  static final int HEAD_DIM = 8;

  final AttentionLayer layer;
  final KvCache.Factory caches;
  private final RopeSpec rope;
  private final KernelSelector kernels;
  private final Device.TensorArena arena;

  OperatorRun(String kernelId, String attention, Mask mask, String cache) {
    this(kernelId, attention, mask, cache, null, TestWeights.gates());
  }

  /** With a rotation (base 10000), or null, and files of weights. */
  OperatorRun(
      String kernelId,
      String attention,
      Mask mask,
      String cache,
      RopeSpec.Layout layout,
      WeightFiles files) {
    this(kernelId, new DeviceOptions(2), attention, mask, cache, layout, files);
  }

  private OperatorRun(
      String kernelId,
      DeviceOptions device,
      String attention,
      Mask mask,
      String cache,
      RopeSpec.Layout layout,
      WeightFiles files) {
    rope = layout == null ? null : new RopeSpec(HEAD_DIM, HEAD_DIM, layout);
    kernels = KernelSelector.open(kernelId, device);
    arena = kernels.device().newArena();
    caches = new KvCaches().create(cache, kernels);
    Operators operators = new Operators();
    AttentionOperator operator = operators.create(OptionSpec.parse(attention));
    layer =
        operator.open(
            shape(mask, rope),
            new OperatorContext(kernels, caches, name -> Optional.empty(), files, operators));
  }

  OperatorRun(String kernelId, String attention) {
    this(kernelId, attention, new Mask.Causal(), "paged:page=16+f32");
  }

  /** On so many threads. */
  OperatorRun(String kernelId, int threads, String attention, String cache) {
    this(
        kernelId,
        new DeviceOptions(threads),
        attention,
        new Mask.Causal(),
        cache,
        null,
        TestWeights.gates());
  }

  static LayerShape shape(Mask mask) {
    return shape(mask, null);
  }

  static LayerShape shape(Mask mask, RopeSpec rope) {
    float scale = (float) (1 / Math.sqrt(HEAD_DIM));
    return new LayerShape(
        1,
        QUERY_HEADS,
        KV_HEADS,
        HEAD_DIM,
        HEAD_DIM,
        scale,
        mask,
        List.of(),
        List.of(),
        rope,
        4096);
  }

  /** The inputs of a sequence: [tokens, heads, HEAD_DIM] each. */
  record Data(float[] q, float[] k, float[] v) {
    static Data random(int tokens, long seed) {
      SplittableRandom random = new SplittableRandom(seed);
      return new Data(
          values(random, tokens * QUERY_HEADS * HEAD_DIM),
          values(random, tokens * KV_HEADS * HEAD_DIM),
          values(random, tokens * KV_HEADS * HEAD_DIM));
    }

    private static float[] values(SplittableRandom random, int count) {
      float[] values = new float[count];
      for (int i = 0; i < count; i++) {
        values[i] = (float) random.nextDouble(-2, 2);
      }
      return values;
    }

    /** With queries and keys rotated, half split. */
    Data rotated() {
      float[] rotatedQ = q.clone();
      float[] rotatedK = k.clone();
      rotate(rotatedQ, QUERY_HEADS);
      rotate(rotatedK, KV_HEADS);
      return new Data(rotatedQ, rotatedK, v);
    }

    private static void rotate(float[] x, int heads) {
      int pairs = HEAD_DIM / 2;
      for (int at = 0; at < x.length; at += HEAD_DIM) {
        for (int i = 0; i < pairs; i++) {
          double angle = at / (heads * HEAD_DIM) * frequency(i);
          double a = x[at + i];
          double b = x[at + i + pairs];
          x[at + i] = (float) (a * Math.cos(angle) - b * Math.sin(angle));
          x[at + i + pairs] = (float) (a * Math.sin(angle) + b * Math.cos(angle));
        }
      }
    }

    int tokens() {
      return k.length / (KV_HEADS * HEAD_DIM);
    }

    /** The same but for tokens from {@code token} on. */
    Data changedFrom(int token, boolean queriesToo) {
      Data other = random(tokens(), 99);
      float[] changedQ = q.clone();
      float[] changedK = k.clone();
      float[] changedV = v.clone();
      int kv = token * KV_HEADS * HEAD_DIM;
      System.arraycopy(other.k, kv, changedK, kv, k.length - kv);
      System.arraycopy(other.v, kv, changedV, kv, v.length - kv);
      if (queriesToo) {
        int at = token * QUERY_HEADS * HEAD_DIM;
        System.arraycopy(other.q, at, changedQ, at, q.length - at);
      }
      return new Data(changedQ, changedK, changedV);
    }
  }

  /** Outputs of a new sequence that comes in steps of these sizes, the last one repeated. */
  float[] outputs(Data data, int... steps) {
    try (LayerState state = layer.newState()) {
      float[] all = new float[data.q.length];
      int width = QUERY_HEADS * HEAD_DIM;
      int step = 0;
      for (int from = 0; from < data.tokens(); ) {
        int rows = Math.min(steps[Math.min(step++, steps.length - 1)], data.tokens() - from);
        float[] out = step(state, data, from, rows);
        System.arraycopy(out, 0, all, from * width, out.length);
        from += rows;
      }
      return all;
    }
  }

  /** Outputs of tokens [from, from + rows), which the state gets now. */
  float[] step(LayerState state, Data data, int from, int rows) {
    return step(new LayerState[] {state}, new Data[] {data}, new int[] {from}, new int[] {rows});
  }

  /** One step of several sequences; the outputs of all rows. */
  float[] step(LayerState[] states, Data[] data, int[] from, int[] rows) {
    AttentionBatch batch = new AttentionBatch();
    batch.reset();
    for (int s = 0; s < states.length; s++) {
      batch.add(rows[s], from[s]);
    }
    float[] q = new float[batch.totalRows() * QUERY_HEADS * HEAD_DIM];
    float[] k = new float[batch.totalRows() * KV_HEADS * HEAD_DIM];
    float[] v = new float[k.length];
    for (int s = 0; s < states.length; s++) {
      copy(data[s].q, from[s], q, batch.firstRow(s), rows[s], QUERY_HEADS);
      copy(data[s].k, from[s], k, batch.firstRow(s), rows[s], KV_HEADS);
      copy(data[s].v, from[s], v, batch.firstRow(s), rows[s], KV_HEADS);
    }
    LayerInputs inputs = new LayerInputs();
    inputs.batch(batch);
    long total = batch.totalRows();
    inputs.layer(
        null,
        onDevice(q, total, QUERY_HEADS, HEAD_DIM),
        onDevice(k, total, KV_HEADS, HEAD_DIM),
        onDevice(v, total, KV_HEADS, HEAD_DIM),
        rope == null ? null : angles(batch));
    Tensor out = arena.allocate(DType.F32, total, QUERY_HEADS, HEAD_DIM);
    layer.attend(states, inputs, out);
    float[] result = new float[q.length];
    kernels.device().download(out, MemorySegment.ofArray(result));
    return result;
  }

  private Tensor onDevice(float[] values, long... extents) {
    Tensor tensor = arena.allocate(DType.F32, extents);
    kernels.device().upload(MemorySegment.ofArray(values), tensor);
    return tensor;
  }

  /** Radians per position of a pair. */
  static double frequency(int pair) {
    return Math.pow(10_000, -2.0 * pair / HEAD_DIM);
  }

  private RopeTable angles(AttentionBatch batch) {
    int pairs = HEAD_DIM / 2;
    double[] frequencies = new double[pairs];
    Arrays.setAll(frequencies, OperatorRun::frequency);
    float[] cos = new float[batch.totalRows() * pairs];
    float[] sin = new float[cos.length];
    for (int s = 0; s < batch.sequences(); s++) {
      for (int row = 0; row < batch.rows(s); row++) {
        for (int i = 0; i < pairs; i++) {
          double angle = (batch.firstPosition(s) + row) * frequencies[i];
          cos[(batch.firstRow(s) + row) * pairs + i] = (float) Math.cos(angle);
          sin[(batch.firstRow(s) + row) * pairs + i] = (float) Math.sin(angle);
        }
      }
    }
    return new RopeTable(
        rope,
        onDevice(cos, batch.totalRows(), pairs),
        onDevice(sin, batch.totalRows(), pairs),
        frequencies,
        1);
  }

  private static void copy(float[] source, int from, float[] target, int to, int rows, int heads) {
    int width = heads * HEAD_DIM;
    System.arraycopy(source, from * width, target, to * width, rows * width);
  }

  /** Which query sees which key, by position. */
  @FunctionalInterface
  interface Visible {
    boolean test(int row, int key);
  }

  /** Which query sees which key of a head, by position. */
  @FunctionalInterface
  interface VisibleToHead {
    boolean test(int head, int row, int key);
  }

  /** Softmax attention in float64 over the visible keys. */
  static float[] expected(Data data, Visible visible) {
    return expected(data, (kvHead, row, key) -> visible.test(row, key));
  }

  /** Softmax attention in float64 over the visible keys, which may differ by KV head. */
  static float[] expected(Data data, VisibleToHead visible) {
    int groupSize = QUERY_HEADS / KV_HEADS;
    return expectedOfHeads(data, (head, row, key) -> visible.test(head / groupSize, row, key));
  }

  /** Softmax attention in float64 over the visible keys, which may differ by query head. */
  static float[] expectedOfHeads(Data data, VisibleToHead visible) {
    int tokens = data.tokens();
    float[] out = new float[data.q.length];
    double[] x = new double[tokens];
    for (int row = 0; row < tokens; row++) {
      for (int h = 0; h < QUERY_HEADS; h++) {
        int kvHead = h / (QUERY_HEADS / KV_HEADS);
        int q = (row * QUERY_HEADS + h) * HEAD_DIM;
        Arrays.fill(x, Double.NEGATIVE_INFINITY);
        double max = Double.NEGATIVE_INFINITY;
        for (int key = 0; key < tokens; key++) {
          if (visible.test(h, row, key)) {
            double dot = 0;
            for (int d = 0; d < HEAD_DIM; d++) {
              dot += data.q[q + d] * (double) data.k[(key * KV_HEADS + kvHead) * HEAD_DIM + d];
            }
            x[key] = dot * (float) (1 / Math.sqrt(HEAD_DIM));
            max = Math.max(max, x[key]);
          }
        }
        double sum = 0;
        double[] weighted = new double[HEAD_DIM];
        for (int key = 0; key < tokens; key++) {
          double weight = Math.exp(x[key] - max);
          sum += weight;
          for (int d = 0; d < HEAD_DIM; d++) {
            weighted[d] += weight * data.v[(key * KV_HEADS + kvHead) * HEAD_DIM + d];
          }
        }
        for (int d = 0; d < HEAD_DIM; d++) {
          out[q + d] = (float) (weighted[d] / sum);
        }
      }
    }
    return out;
  }

  @Override
  public void close() {
    layer.close();
    arena.close();
    kernels.close();
  }
}
