package io.attention4j.kvcache;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.operator.AttentionLayer;
import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.KvCacheContext;
import io.attention4j.engine.operator.KvUsage;
import io.attention4j.engine.operator.LayerInputs;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.OperatorContext;
import io.attention4j.engine.operator.Operators;
import io.attention4j.engine.operator.SoftmaxOperator;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.DeviceOptions;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kvcache.policy.KvPolicy;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.TreeSet;
import java.util.function.Function;

/**
 * One softmax layer over a cache with a policy, fed with tokens whose queries, keys and values are
 * a function of the position alone (and of {@code data}, where a test has its own).
 */
final class PolicyRun implements AutoCloseable {
  /** Content of a token: fills q [queryHeads * headDim], k and v [kvHeads * headDim]. */
  interface Data {
    void token(int position, float[] q, float[] k, float[] v);
  }

  final LayerShape shape;
  private final KernelSelector kernels = KernelSelector.open("reference", DeviceOptions.DEFAULTS);
  private final Arena arena = Arena.ofConfined();
  private final KvCache.Factory factory;
  private final AttentionLayer layer;
  private final List<KvCache> made = new ArrayList<>();
  private final List<LayerState> states = new ArrayList<>();
  private final Data data;

  PolicyRun(String option, int queryHeads, int kvHeads, int headDim) {
    this(option, queryHeads, kvHeads, headDim, PolicyRun::random, 1, null);
  }

  /** A policy of the test's own. */
  PolicyRun(KvPolicy policy, int queryHeads, int kvHeads, int headDim, Data data) {
    this(
        context -> new KvCaches().create("f32", policy, context),
        queryHeads,
        kvHeads,
        headDim,
        data,
        1,
        null);
  }

  PolicyRun(
      String option, int queryHeads, int kvHeads, int headDim, Data data, int layers, Path model) {
    this(
        context -> new KvCaches().create(option, context),
        queryHeads,
        kvHeads,
        headDim,
        data,
        layers,
        model);
  }

  private PolicyRun(
      Function<KvCacheContext, KvCache.Factory> caches,
      int queryHeads,
      int kvHeads,
      int headDim,
      Data data,
      int layers,
      Path model) {
    this.data = data;
    shape =
        new LayerShape(
            0,
            queryHeads,
            kvHeads,
            headDim,
            headDim,
            (float) (1 / Math.sqrt(headDim)),
            new Mask.Causal(),
            List.of(),
            List.of(),
            null,
            1 << 16);
    factory = caches.apply(new KvCacheContext(kernels, layers, model));
    KvCache.Factory remembering =
        new KvCache.Factory() {
          @Override
          public KvFormat keyFormat() {
            return factory.keyFormat();
          }

          @Override
          public KvFormat valueFormat() {
            return factory.valueFormat();
          }

          @Override
          public KvCache.Observes observes() {
            return factory.observes();
          }

          @Override
          public KvCache create(LayerShape layerShape) {
            KvCache cache = factory.create(layerShape);
            made.add(cache);
            return cache;
          }

          @Override
          public long bytes(LayerShape layerShape, long tokens) {
            return factory.bytes(layerShape, tokens);
          }

          @Override
          public KvUsage usage() {
            return factory.usage();
          }
        };
    layer =
        new SoftmaxOperator()
            .open(
                shape,
                new OperatorContext(
                    kernels, remembering, name -> Optional.empty(), new Operators()));
  }

  static void random(int position, float[] q, float[] k, float[] v) {
    SplittableRandom random = new SplittableRandom(position);
    for (float[] target : List.of(q, k, v)) {
      for (int i = 0; i < target.length; i++) {
        target[i] = (float) random.nextDouble(-2, 2);
      }
    }
  }

  LayerState newState() {
    return keep(layer.newState());
  }

  LayerState keep(LayerState state) {
    states.add(state);
    return state;
  }

  /** The cache of the state that {@link #newState} made last. */
  KvCache cache() {
    return made.getLast();
  }

  RaggedKvCache ragged() {
    return (RaggedKvCache) cache();
  }

  long promisedBytes(long tokens) {
    return factory.bytes(shape, tokens);
  }

  /** Runs tokens [from, to); the result is [rows, queryHeads * headDim]. */
  float[][] step(LayerState state, int from, int to, boolean continued) {
    int rows = to - from;
    int queries = shape.queryHeads() * shape.headDim();
    int keys = shape.kvHeads() * shape.headDim();
    float[] q = new float[rows * queries];
    float[] k = new float[rows * keys];
    float[] v = new float[rows * keys];
    float[] tokenQ = new float[queries];
    float[] tokenK = new float[keys];
    float[] tokenV = new float[keys];
    for (int row = 0; row < rows; row++) {
      data.token(from + row, tokenQ, tokenK, tokenV);
      System.arraycopy(tokenQ, 0, q, row * queries, queries);
      System.arraycopy(tokenK, 0, k, row * keys, keys);
      System.arraycopy(tokenV, 0, v, row * keys, keys);
    }
    AttentionBatch batch = new AttentionBatch();
    batch.continued(batch.add(rows, from), continued);
    LayerInputs in = new LayerInputs();
    in.batch(batch);
    Tensor out =
        Tensor.ofFloats(
            arena, new float[rows * queries], rows, shape.queryHeads(), shape.headDim());
    in.layer(
        null,
        Tensor.ofFloats(arena, q, rows, shape.queryHeads(), shape.headDim()),
        Tensor.ofFloats(arena, k, rows, shape.kvHeads(), shape.headDim()),
        Tensor.ofFloats(arena, v, rows, shape.kvHeads(), shape.headDim()),
        null);
    layer.attend(new LayerState[] {state}, in, out);
    float[][] result = new float[rows][];
    for (int row = 0; row < rows; row++) {
      result[row] = new float[queries];
      for (int i = 0; i < queries; i++) {
        result[row][i] = out.segment().getAtIndex(Tensor.FLOAT, (long) row * queries + i);
      }
    }
    return result;
  }

  /** A prompt whose outputs nobody wants, for policies that look at keys and values alone. */
  void store(int tokens) {
    int rows = 512;
    float[] k = new float[rows * shape.kvHeads() * shape.headDim()];
    float[] v = new float[k.length];
    float[] tokenQ = new float[shape.queryHeads() * shape.headDim()];
    float[] tokenK = new float[shape.kvHeads() * shape.headDim()];
    float[] tokenV = new float[tokenK.length];
    Tensor keys = Tensor.ofFloats(arena, k, rows, shape.kvHeads(), shape.headDim());
    Tensor values = Tensor.ofFloats(arena, v, rows, shape.kvHeads(), shape.headDim());
    Tensor queries =
        Tensor.ofFloats(
            arena, new float[rows * tokenQ.length], rows, shape.queryHeads(), shape.headDim());
    AttentionBatch batch = new AttentionBatch();
    LayerInputs in = new LayerInputs();
    in.batch(batch);
    in.layer(null, queries, keys, values, null);
    for (int from = 0; from < tokens; from += rows) {
      int count = Math.min(rows, tokens - from);
      for (int row = 0; row < count; row++) {
        data.token(from + row, tokenQ, tokenK, tokenV);
        MemorySegment.copy(
            tokenK, 0, keys.segment(), Tensor.FLOAT, 4L * row * tokenK.length, tokenK.length);
        MemorySegment.copy(
            tokenV, 0, values.segment(), Tensor.FLOAT, 4L * row * tokenV.length, tokenV.length);
      }
      batch.reset();
      batch.continued(batch.add(count, from), from + count < tokens);
      cache().append(keys, values, 0, count);
      cache().attended(in, 0, null);
    }
  }

  /** A prompt in chunks, then tokens one by one; the outputs of all rows. */
  List<float[]> run(LayerState state, int prompt, int chunk, int decoded) {
    List<float[]> outputs = new ArrayList<>();
    for (int at = 0; at < prompt; at += chunk) {
      int to = Math.min(at + chunk, prompt);
      outputs.addAll(Arrays.asList(step(state, at, to, to < prompt)));
    }
    outputs.addAll(decode(state, prompt, prompt + decoded));
    return outputs;
  }

  List<float[]> decode(LayerState state, int from, int to) {
    List<float[]> outputs = new ArrayList<>();
    for (int at = from; at < to; at++) {
      outputs.addAll(Arrays.asList(step(state, at, at + 1, false)));
    }
    return outputs;
  }

  /** Positions that a head holds, sorted. */
  static TreeSet<Long> positions(RaggedKvCache cache, int head) {
    TreeSet<Long> positions = new TreeSet<>();
    for (int entry = 0; entry < cache.head(head).count(); entry++) {
      positions.add(cache.head(head).position(entry));
    }
    return positions;
  }

  @Override
  public void close() {
    states.forEach(LayerState::close);
    layer.close();
    arena.close();
    kernels.close();
  }
}
