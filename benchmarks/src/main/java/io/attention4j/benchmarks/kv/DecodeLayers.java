package io.attention4j.benchmarks.kv;

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
import io.attention4j.engine.operator.OptionSpec;
import io.attention4j.engine.operator.SoftmaxOperator;
import io.attention4j.engine.operator.Truncation;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kvcache.KvCaches;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;

/**
 * The attention layers of a model with random keys, values and queries over filled KV caches, as a
 * decoder runs them: a step appends a token, attends, and lets the policy decide, in every layer.
 */
final class DecodeLayers implements AutoCloseable {
  private static final int FILLED_ROWS = 1024;
  private static final int ROOM = 1 << 16;
  private static final long SEED = 42;

  private final String cache;
  private final DecodeShape shape;
  private final Device.TensorArena arena;
  private final List<AttentionLayer> layers = new ArrayList<>();
  private final List<LayerState> states = new ArrayList<>();
  private final List<KvCache> caches = new ArrayList<>();
  private final AttentionBatch batch = new AttentionBatch();
  private final LayerInputs inputs = new LayerInputs();
  private final Tensor q;
  private final Tensor k;
  private final Tensor v;
  private final Tensor out;
  private boolean shrinks = true;

  DecodeLayers(KernelSelector kernels, String cache, DecodeShape shape) {
    this.cache = cache;
    this.shape = shape;
    Device device = kernels.device();
    arena = device.newArena();
    q = random(device, FILLED_ROWS, shape.queryHeads());
    k = random(device, FILLED_ROWS, shape.kvHeads());
    v = random(device, FILLED_ROWS, shape.kvHeads());
    out = arena.allocate(DType.F32, 1, shape.queryHeads(), shape.headDim());
    KvCache.Factory factory =
        new KvCaches().create(cache, new KvCacheContext(kernels, shape.layers(), null));
    Operators operators = new Operators();
    OptionSpec attention = OptionSpec.parse(factory.attention().orElse(SoftmaxOperator.ID));
    OperatorContext context =
        new OperatorContext(
            kernels, new Remembering(factory, caches), _ -> Optional.empty(), operators);
    for (int layer = 0; layer < shape.layers(); layer++) {
      layers.add(operators.create(attention).open(layerShape(layer), context));
      states.add(layers.getLast().newState());
      fill(caches.getLast());
    }
  }

  private Tensor random(Device device, int rows, int heads) {
    Tensor tensor = arena.allocate(DType.F32, rows, heads, shape.headDim());
    SplittableRandom random = new SplittableRandom(SEED + heads);
    float[] values = new float[Math.toIntExact(tensor.shape().elements())];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    device.upload(MemorySegment.ofArray(values), tensor);
    return tensor;
  }

  private LayerShape layerShape(int layer) {
    return new LayerShape(
        layer,
        shape.queryHeads(),
        shape.kvHeads(),
        shape.headDim(),
        shape.headDim(),
        (float) (1 / Math.sqrt(shape.headDim())),
        new Mask.Causal(),
        List.of(),
        List.of(),
        null,
        shape.keys() + ROOM);
  }

  /** Stores random tokens as a prompt, whose attention nobody wants. */
  private void fill(KvCache target) {
    for (int from = 0; from < shape.keys(); from += FILLED_ROWS) {
      int rows = Math.min(FILLED_ROWS, shape.keys() - from);
      AttentionBatch prompt = new AttentionBatch();
      prompt.continued(prompt.add(rows, from), from + rows < shape.keys());
      LayerInputs in = new LayerInputs();
      in.batch(prompt);
      in.layer(null, q, k, v, null);
      target.append(k, v, 0, rows);
      target.attended(in, 0, null);
    }
  }

  String cache() {
    return cache;
  }

  /** Bytes that the caches hold, and what methods keep beside them. */
  long bytes() {
    return states.stream().mapToLong(LayerState::bytes).sum();
  }

  /** Stores one decoded token in all layers without its attention. */
  void store() {
    batch.reset();
    batch.add(1, states.getFirst().length());
    inputs.batch(batch);
    inputs.layer(null, q, k, v, null);
    for (KvCache target : caches) {
      target.append(k, v, 0, 1);
      target.attended(inputs, 0, null);
    }
  }

  /** One decoded token through all layers. Goes back before where the cache can. */
  void step() {
    if (shrinks && states.getFirst().length() > shape.keys()) {
      shrinks = true;
      for (LayerState state : states) {
        shrinks &= state.truncateTo(shape.keys()) instanceof Truncation.Done;
      }
    }
    batch.reset();
    batch.add(1, states.getFirst().length());
    inputs.batch(batch);
    inputs.layer(null, q, k, v, null);
    for (int layer = 0; layer < layers.size(); layer++) {
      layers.get(layer).attend(new LayerState[] {states.get(layer)}, inputs, out);
    }
  }

  @Override
  public void close() {
    states.forEach(LayerState::close);
    layers.forEach(AttentionLayer::close);
    arena.close();
  }

  /** Keeps hold of the caches that a layer's states make, to fill them. */
  private record Remembering(KvCache.Factory factory, List<KvCache> made)
      implements KvCache.Factory {
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
    public KvCache create(LayerShape shape) {
      made.add(factory.create(shape));
      return made.getLast();
    }

    @Override
    public KvUsage usage() {
      return factory.usage();
    }

    @Override
    public long bytes(LayerShape shape, long tokens) {
      return factory.bytes(shape, tokens);
    }
  }
}
