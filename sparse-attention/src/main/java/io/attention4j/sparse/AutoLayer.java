package io.attention4j.sparse;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.operator.AttentionLayer;
import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.LayerInputs;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.Truncation;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.RopeKernel;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.io.IOException;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** A layer of {@link AutoAttention}. */
final class AutoLayer implements AttentionLayer {
  private static final System.Logger LOG = System.getLogger("io.attention4j.sparse.auto");
  private static final int LENGTHS = 32; // powers of two
  private static final int RUNS = 2;

  /** Of softmax's time: a smaller gain may be noise. */
  private static final double WORTH = 0.9;

  /** An operator that may be picked; the first is softmax. */
  record Candidate(String name, AttentionLayer layer) {}

  /** What a candidate took, and how far from softmax it was. */
  private record Trial(double seconds, double error) {}

  private final AutoAttention.Options options;
  private final LayerShape shape;
  private final RopeKernel rope;
  private final SharedCaches caches;
  private final Device device;
  private final List<Candidate> candidates;
  private final int[] prefillChoice = new int[LENGTHS];
  private final int[] decodeChoice = new int[LENGTHS];

  AutoLayer(
      AutoAttention.Options options,
      LayerShape shape,
      RopeKernel rope,
      SharedCaches caches,
      Device device,
      List<Candidate> candidates) {
    this.options = options;
    this.shape = shape;
    this.rope = rope;
    this.caches = caches;
    this.device = device;
    this.candidates = List.copyOf(candidates);
    Arrays.fill(prefillChoice, -1);
    Arrays.fill(decodeChoice, -1);
  }

  @Override
  public LayerState newState() {
    return stateOf(caches.createOwned(shape));
  }

  private State stateOf(KvCache cache) {
    caches.share(cache);
    LayerState[] views =
        candidates.stream().map(c -> c.layer().newState()).toArray(LayerState[]::new);
    return new State(cache, views);
  }

  @Override
  public void append(LayerState[] states, LayerInputs in) {
    AttentionBatch batch = in.batch();
    if (rope != null) {
      rope.run(shape.rope(), in.k(), batch.totalRows(), in.rope().cos(), in.rope().sin());
    }
    for (int s = 0; s < batch.sequences(); s++) {
      ((State) states[s]).cache.append(in.k(), in.v(), batch.firstRow(s), batch.rows(s));
    }
  }

  @Override
  public void attend(LayerState[] states, LayerInputs in, Tensor out) {
    AttentionBatch batch = in.batch();
    if (rope != null) {
      rope.run(shape.rope(), in.q(), batch.totalRows(), in.rope().cos(), in.rope().sin());
    }
    append(states, in);
    long longest = 0;
    boolean decoding = true;
    for (int s = 0; s < batch.sequences(); s++) {
      longest = Math.max(longest, states[s].length());
      decoding &= batch.rows(s) <= 1;
    }
    run(longest < options.min() ? 0 : choice(states, in, longest, decoding), states, in, out);
  }

  private void run(int candidate, LayerState[] states, LayerInputs in, Tensor out) {
    LayerState[] views = new LayerState[states.length];
    for (int s = 0; s < states.length; s++) {
      views[s] = ((State) states[s]).views[candidate];
    }
    candidates.get(candidate).layer().attend(views, in, out);
  }

  private int choice(LayerState[] states, LayerInputs in, long longest, boolean decoding) {
    int[] choices = decoding ? decodeChoice : prefillChoice;
    int power = Math.min(LENGTHS - 1, 63 - Long.numberOfLeadingZeros(longest));
    if (choices[power] < 0) {
      choices[power] = measure(states, in, decoding, 1L << power);
    }
    return choices[power];
  }

  private int measure(LayerState[] states, LayerInputs in, boolean decoding, long tokens) {
    int best = 0;
    List<Trial> trials = new ArrayList<>();
    try (Device.TensorArena arena = device.newArena()) {
      long rows = in.batch().totalRows();
      Tensor exact = arena.allocate(DType.F32, rows, shape.queryHeads(), shape.valueDim());
      Tensor other = arena.allocate(DType.F32, rows, shape.queryHeads(), shape.valueDim());
      for (int candidate = 0; candidate < candidates.size(); candidate++) {
        Tensor result = candidate == 0 ? exact : other;
        double seconds = Double.POSITIVE_INFINITY;
        for (int time = 0; time < RUNS; time++) {
          long start = System.nanoTime();
          run(candidate, states, in, result);
          seconds = Math.min(seconds, (System.nanoTime() - start) / 1e9);
        }
        Trial trial = new Trial(seconds, candidate == 0 ? 0 : error(result, exact));
        trials.add(trial);
        double limit = best == 0 ? WORTH * trials.getFirst().seconds : trials.get(best).seconds;
        if (trial.error <= options.error() && trial.seconds < limit) {
          best = candidate;
        }
      }
    }
    LOG.log(System.Logger.Level.INFO, line(best, trials, decoding, tokens));
    return best;
  }

  /** |a - b| / |b|. */
  private static double error(Tensor a, Tensor b) {
    float[] x = a.toFloats();
    float[] y = b.toFloats();
    double difference = 0;
    double size = 0;
    for (int i = 0; i < x.length; i++) {
      difference += (x[i] - (double) y[i]) * (x[i] - (double) y[i]);
      size += (double) y[i] * y[i];
    }
    return difference == 0 ? 0 : Math.sqrt(difference / size);
  }

  private String line(int best, List<Trial> trials, boolean decoding, long tokens) {
    StringBuilder line = new StringBuilder();
    line.append(
        String.format(
            Locale.ROOT,
            "layer %d, %s from %d tokens: %s (error budget %s;",
            shape.layer(),
            decoding ? "decoding" : "prefill",
            tokens,
            candidates.get(best).name(),
            options.error()));
    for (int i = 0; i < trials.size(); i++) {
      line.append(
          String.format(
              Locale.ROOT,
              "%s %s %.3f ms error %.4f",
              i == 0 ? "" : ",",
              candidates.get(i).name(),
              trials.get(i).seconds * 1e3,
              trials.get(i).error));
    }
    return line.append(')').toString();
  }

  @Override
  public void close() {
    candidates.forEach(candidate -> candidate.layer().close());
  }

  private final class State implements LayerState {
    private final KvCache cache;
    private final LayerState[] views;

    State(KvCache cache, LayerState[] views) {
      this.cache = cache;
      this.views = views;
    }

    @Override
    public long length() {
      return cache.length();
    }

    @Override
    public LayerState fork() {
      return stateOf(cache.fork());
    }

    @Override
    public void save(WritableByteChannel channel) throws IOException {
      cache.save(channel);
    }

    @Override
    public void load(ReadableByteChannel channel) throws IOException {
      reset();
      cache.load(channel);
    }

    @Override
    public Truncation truncateTo(long length) {
      Truncation truncation = cache.truncateTo(length);
      forgetAfter(cache.length());
      return truncation;
    }

    private void forgetAfter(long length) {
      for (LayerState view : views) {
        view.truncateTo(length);
      }
    }

    @Override
    public long bytes() {
      return cache.bytes() + Arrays.stream(views).mapToLong(LayerState::bytes).sum();
    }

    @Override
    public void reset() {
      if (truncateTo(0) instanceof Truncation.Refused refused) {
        throw new IllegalStateException(
            "a cache must be able to empty itself: " + refused.reason());
      }
    }

    @Override
    public void close() {
      Arrays.stream(views).forEach(LayerState::close);
      cache.close();
    }
  }
}
