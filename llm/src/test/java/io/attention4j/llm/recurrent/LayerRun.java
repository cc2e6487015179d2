package io.attention4j.llm.recurrent;

import com.sun.management.ThreadMXBean;
import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.operator.AttentionLayer;
import io.attention4j.engine.operator.LayerInputs;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.Needs;
import io.attention4j.engine.operator.OperatorContext;
import io.attention4j.engine.operator.OperatorProvider;
import io.attention4j.engine.operator.Operators;
import io.attention4j.engine.operator.OptionSpec;
import io.attention4j.engine.recurrent.layer.LayerWeights;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.DeviceOptions;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kvcache.KvCaches;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.Set;
import java.util.SplittableRandom;

/** One layer of an operator on some kernels, fed with the same random tokens every time. */
final class LayerRun implements AutoCloseable {
  static final int HEADS = 4;
  static final int KV_HEADS = 2;
  static final int DIM = 8;
  static final int WIDTH = HEADS * DIM;
  static final int LAYER = 1;

  private final KernelSelector kernels;
  private final Device device;
  private final Device.TensorArena arena;
  private final Arena weightArena = Arena.ofShared();
  private final AttentionLayer layer;
  private final String id;
  final float[] hidden;
  final float[] embeddings;
  final float[] q;
  final float[] k;
  final float[] v;

  LayerRun(String kernelId, String option, int tokens) {
    SplittableRandom random = new SplittableRandom(7);
    hidden = values(random, tokens * WIDTH);
    embeddings = values(random, tokens * WIDTH);
    q = values(random, tokens * WIDTH);
    k = values(random, tokens * KV_HEADS * DIM);
    v = values(random, tokens * KV_HEADS * DIM);
    kernels = KernelSelector.open(kernelId, new DeviceOptions(2));
    device = kernels.device();
    arena = device.newArena();
    id = OptionSpec.parse(option).name();
    Operators operators = new Operators();
    layer =
        operators
            .create(OptionSpec.parse(option))
            .open(
                shape(),
                new OperatorContext(
                    kernels, new KvCaches().create("f32", kernels), this::modelWeight, operators));
  }

  /** A model that holds what {@code fixed-sequence} asks for, as untrained numbers. */
  private Optional<Tensor> modelWeight(String name) {
    long rows = name.equals("fixed") ? 64 : WIDTH;
    if (!name.equals("fixed") && !name.startsWith("W_")) {
      return Optional.empty();
    }
    double[] drawn = LayerWeights.untrained(3, "").values(name, rows, WIDTH);
    float[] floats = new float[drawn.length];
    for (int i = 0; i < floats.length; i++) {
      floats[i] = (float) drawn[i];
    }
    return Optional.of(Tensor.ofFloats(weightArena, floats, rows, WIDTH));
  }

  static LayerShape shape() {
    float scale = (float) (1 / Math.sqrt(DIM));
    return new LayerShape(
        LAYER,
        HEADS,
        KV_HEADS,
        DIM,
        DIM,
        scale,
        new Mask.Causal(),
        List.of(),
        List.of(),
        null,
        4096);
  }

  /** Names of engine-core's provider. */
  static Set<String> recurrentNames() {
    return ServiceLoader.load(OperatorProvider.class).stream()
        .filter(provider -> provider.type().getName().contains(".recurrent."))
        .findFirst()
        .orElseThrow()
        .get()
        .names();
  }

  private static float[] values(SplittableRandom random, int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextDouble(-1, 1);
    }
    return values;
  }

  String id() {
    return id;
  }

  LayerState newState() {
    return layer.newState();
  }

  /** Tokens [from, to) as the next of the state; the outputs, [to - from, HEADS * DIM]. */
  float[] attend(LayerState state, int from, int to) {
    return attend(List.of(state), List.of(new int[] {from, to}));
  }

  /** Several sequences in one step, each with its range of tokens. */
  float[] attend(List<LayerState> states, List<int[]> ranges) {
    try (Device.TensorArena step = device.newArena()) {
      LayerInputs in = inputs(step, states, ranges);
      int rows = in.batch().totalRows();
      Tensor out = step.allocate(DType.F32, rows, HEADS, DIM);
      layer.attend(states.toArray(LayerState[]::new), in, out);
      return download(out);
    }
  }

  void append(LayerState state, int from, int to) {
    try (Device.TensorArena step = device.newArena()) {
      layer.append(
          new LayerState[] {state}, inputs(step, List.of(state), List.of(new int[] {from, to})));
    }
  }

  /**
   * The fewest bytes that so many decoding steps allocate on this thread, in as many attempts as
   * there is time for.
   */
  long allocatedBytes(LayerState state, int steps, long patienceNanos) {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    try (Device.TensorArena step = device.newArena()) {
      LayerInputs in = inputs(step, List.of(state), List.of(new int[] {0, 1}));
      Tensor out = step.allocate(DType.F32, 1, HEADS, DIM);
      LayerState[] states = {state};
      long best = Long.MAX_VALUE;
      long end = System.nanoTime() + patienceNanos;
      while (best > 0 && System.nanoTime() < end) {
        long before = threads.getCurrentThreadAllocatedBytes();
        for (int i = 0; i < steps; i++) {
          layer.attend(states, in, out);
        }
        best = Math.min(best, threads.getCurrentThreadAllocatedBytes() - before);
      }
      return best;
    }
  }

  private LayerInputs inputs(Device.TensorArena step, List<LayerState> states, List<int[]> ranges) {
    AttentionBatch batch = new AttentionBatch();
    for (int s = 0; s < states.size(); s++) {
      batch.add(ranges.get(s)[1] - ranges.get(s)[0], states.get(s).length());
    }
    LayerInputs in = new LayerInputs();
    in.batch(batch);
    in.layer(
        rows(step, hidden, ranges, WIDTH).reshape(batch.totalRows(), WIDTH),
        rows(step, q, ranges, HEADS, DIM),
        rows(step, k, ranges, KV_HEADS, DIM),
        rows(step, v, ranges, KV_HEADS, DIM),
        null);
    in.extra(Needs.EMBEDDINGS, rows(step, embeddings, ranges, WIDTH));
    return in;
  }

  private Tensor rows(Device.TensorArena step, float[] all, List<int[]> ranges, int... row) {
    int width = Arrays.stream(row).reduce(1, (a, b) -> a * b);
    List<Float> picked = new ArrayList<>();
    for (int[] range : ranges) {
      for (int i = range[0] * width; i < range[1] * width; i++) {
        picked.add(all[i]);
      }
    }
    float[] values = new float[picked.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = picked.get(i);
    }
    long[] extents = new long[row.length + 1];
    extents[0] = values.length / width;
    for (int i = 0; i < row.length; i++) {
      extents[i + 1] = row[i];
    }
    Tensor tensor = step.allocate(DType.F32, extents);
    try (Arena host = Arena.ofConfined()) {
      device.upload(Tensor.ofFloats(host, values, extents).segment(), tensor);
    }
    return tensor;
  }

  private float[] download(Tensor tensor) {
    try (Arena host = Arena.ofConfined()) {
      MemorySegment bytes = host.allocate(tensor.byteSize(), Tensor.ALIGNMENT_BYTES);
      device.download(tensor, bytes);
      return bytes.toArray(Tensor.FLOAT.withOrder(java.nio.ByteOrder.nativeOrder()));
    }
  }

  @Override
  public void close() {
    layer.close();
    arena.close();
    kernels.close();
    weightArena.close();
  }
}
