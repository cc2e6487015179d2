package io.attention4j.benchmarks.sparse;

import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.operator.AttentionLayer;
import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.KvUsage;
import io.attention4j.engine.operator.LayerInputs;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.OperatorContext;
import io.attention4j.engine.operator.Operators;
import io.attention4j.engine.operator.OptionSpec;
import io.attention4j.engine.operator.Truncation;
import io.attention4j.engine.operator.WeightSource;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kvcache.KvCaches;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;

/** A layer that decodes the last tokens of its data over and over. */
final class OffloadRun implements AutoCloseable {
  private static final long SEED = 7;

  private final LayerData data;
  private final String cache;
  private final int steps;
  private final Arena arena = Arena.ofShared();
  private final KvCache.Factory caches;
  private final AttentionLayer layer;
  private final LayerState state;
  private long fetchedBytes;
  private long measuredSteps;

  /**
   * A layer with all but the last tokens, whose attention is the one that its cache names.
   *
   * @param steps tokens to decode
   */
  OffloadRun(KernelSelector kernels, LayerData data, String cache, int steps) {
    this.data = data;
    this.cache = cache;
    this.steps = steps;
    caches = new KvCaches().create(cache, kernels);
    Operators operators = new Operators();
    WeightSource weights = weights(data.kvHeads(), data.headDim());
    layer =
        operators
            .create(OptionSpec.parse(caches.attention().orElseThrow()))
            .open(
                new LayerShape(
                    0,
                    data.queryHeads(),
                    data.kvHeads(),
                    data.headDim(),
                    data.headDim(),
                    (float) (1 / Math.sqrt(data.headDim())),
                    new Mask.Causal(),
                    List.of(),
                    List.of(),
                    null,
                    data.tokens()),
                new OperatorContext(kernels, caches, weights, operators));
    state = layer.newState();
    layer.append(new LayerState[] {state}, data.step(0, data.tokens() - steps));
  }

  /** The released models' initial A is 0; random ones let tokens differ. */
  private WeightSource weights(int kvHeads, int dim) {
    int width = kvHeads * dim;
    Map<String, Tensor> weights =
        Map.of(
            "self_attn.A", random(kvHeads, 1, kvHeads),
            "self_attn.delta.weight",
                random(kvHeads * width, 1 / Math.sqrt(width), kvHeads, width));
    return name -> Optional.ofNullable(weights.get(name));
  }

  private Tensor random(int count, double scale, long... extents) {
    SplittableRandom random = new SplittableRandom(SEED);
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) (scale * random.nextGaussian());
    }
    return Tensor.ofFloats(arena, values, extents);
  }

  String cache() {
    return cache;
  }

  /** Decodes the last tokens and forgets them; seconds of a step but for the first. */
  double stepSeconds() {
    LayerState[] states = {state};
    int from = data.tokens() - steps;
    layer.attend(states, step(from), data.out());
    long fetched = caches.usage().fetchedBytes();
    long start = System.nanoTime();
    for (int i = 1; i < steps; i++) {
      layer.attend(states, step(from + i), data.out());
    }
    final double seconds = (System.nanoTime() - start) / 1e9 / (steps - 1);
    fetchedBytes += caches.usage().fetchedBytes() - fetched;
    measuredSteps += steps - 1;
    if (state.truncateTo(from) instanceof Truncation.Refused refused) {
      throw new IllegalStateException(cache + " cannot go back: " + refused.reason());
    }
    return seconds;
  }

  private LayerInputs step(int token) {
    return data.step(token, 1);
  }

  double fetchedBytesPerStep() {
    return (double) fetchedBytes / measuredSteps;
  }

  KvUsage usage() {
    return caches.usage();
  }

  @Override
  public void close() {
    state.close();
    layer.close();
    arena.close();
  }
}
