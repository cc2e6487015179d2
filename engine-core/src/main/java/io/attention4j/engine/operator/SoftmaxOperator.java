package io.attention4j.engine.operator;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.AttentionInputs;
import io.attention4j.engine.attention.AttentionOutputs;
import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.Normalizer;
import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.attention.Selection;
import io.attention4j.engine.spi.AttentionKernel;
import io.attention4j.engine.spi.AttentionPlan;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.RopeKernel;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.io.IOException;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.util.Set;

/**
 * Dense scaled dot-product attention (Vaswani et al. 2017, arXiv 1706.03762) over a KV cache:
 * rotate, append, attend. With the logistic function in softmax's place it is sigmoid attention
 * (Ramapuram et al. 2024, arXiv 2409.04431).
 */
public final class SoftmaxOperator implements AttentionOperator {
  /** Name in options. */
  public static final String ID = "softmax";

  /** Name of sigmoid attention in options. */
  public static final String SIGMOID_ID = "sigmoid";

  private final String id;
  private final Normalizer normalizer;

  /** An operator without settings. */
  public SoftmaxOperator() {
    this(ID, new Normalizer.Softmax());
  }

  private SoftmaxOperator(String id, Normalizer normalizer) {
    this.id = id;
    this.normalizer = normalizer;
  }

  /**
   * Sigmoid attention.
   *
   * @param bias added to every score; it belongs to the checkpoint, minus the log of the context
   *     length in the paper
   */
  public static SoftmaxOperator sigmoid(float bias) {
    return new SoftmaxOperator(SIGMOID_ID, new Normalizer.Sigmoid(bias));
  }

  @Override
  public String id() {
    return id;
  }

  @Override
  public Needs needs() {
    return new Needs(Set.of(), Set.of(), Set.of(Needs.Direction.CAUSAL));
  }

  @Override
  public AttentionLayer open(LayerShape shape, OperatorContext context) {
    return new Layer(shape, context, normalizer);
  }

  private static final class Layer implements AttentionLayer {
    private final LayerShape shape;
    private final KvCache.Factory caches;
    private final RopeKernel rope;
    private final AttentionPlan plan;
    private final PagedKv table;
    private final Device device;
    private Device.TensorArena lseArena;
    private Tensor lse;
    private AttentionInputs inputs;
    private AttentionOutputs outputs;

    Layer(LayerShape shape, OperatorContext context, Normalizer normalizer) {
      this.shape = shape;
      this.caches = context.caches();
      this.device = context.kernels().device();
      this.table = new PagedKv(shape.kvHeads());
      this.rope =
          shape.rope() == null ? null : context.kernels().select(RopeKernel.class, shape.rope());
      AttentionSpec spec =
          new AttentionSpec(
              shape.queryHeads(),
              shape.kvHeads(),
              shape.headDim(),
              shape.valueDim(),
              shape.scale(),
              normalizer,
              shape.mask(),
              shape.modifiers(),
              shape.sinks(),
              caches.keyFormat(),
              caches.valueFormat(),
              AttentionSpec.SelectionKind.NONE);
      if (normalizer instanceof Normalizer.Sigmoid && caches.observes() == KvCache.Observes.MASS) {
        throw new IllegalArgumentException(
            "this KV cache drops tokens by their softmax weights, which sigmoid attention does not"
                + " have; choose another cache");
      }
      this.plan = context.kernels().select(AttentionKernel.class, spec).plan(spec);
    }

    @Override
    public LayerState newState() {
      return new State(caches.create(shape));
    }

    @Override
    public void attend(LayerState[] states, LayerInputs in, Tensor out) {
      int rows = in.batch().totalRows();
      if (rope != null) {
        rope.run(shape.rope(), in.q(), rows, in.rope().cos(), in.rope().sin());
      }
      append(states, in);
      // The decoder reuses its tensors, so these are made once, not once per token.
      if (inputs == null || inputs.q() != in.q()) {
        inputs = new AttentionInputs(in.q(), table, Selection.NONE);
      }
      reserveLse(rows);
      if (outputs == null || outputs.out() != out || outputs.lse() != lse) {
        outputs = new AttentionOutputs(out, lse);
      }
      plan.run(in.batch(), inputs, outputs);
      for (int s = 0; s < in.batch().sequences(); s++) {
        ((State) states[s]).cache.attended(in, s, lse);
      }
    }

    private void reserveLse(int rows) {
      if (caches.observes() != KvCache.Observes.MASS || lse != null && lse.extent(0) >= rows) {
        return;
      }
      closeLse();
      lseArena = device.newArena();
      lse = lseArena.allocate(DType.F32, rows, shape.queryHeads());
    }

    private void closeLse() {
      if (lseArena != null) {
        lseArena.close();
        lseArena = null;
        lse = null;
      }
    }

    @Override
    public void append(LayerState[] states, LayerInputs in) {
      AttentionBatch batch = in.batch();
      if (rope != null) {
        rope.run(shape.rope(), in.k(), batch.totalRows(), in.rope().cos(), in.rope().sin());
      }
      table.reset(batch.sequences());
      for (int s = 0; s < batch.sequences(); s++) {
        KvCache cache = ((State) states[s]).cache;
        cache.append(in.k(), in.v(), batch.firstRow(s), batch.rows(s));
        cache.fill(table, s);
      }
    }

    @Override
    public void close() {
      plan.close();
      closeLse();
    }
  }

  private record State(KvCache cache) implements LayerState {
    @Override
    public long length() {
      return cache.length();
    }

    @Override
    public LayerState fork() {
      return new State(cache.fork());
    }

    @Override
    public void save(WritableByteChannel channel) throws IOException {
      cache.save(channel);
    }

    @Override
    public void load(ReadableByteChannel channel) throws IOException {
      cache.load(channel);
    }

    @Override
    public Truncation truncateTo(long length) {
      return cache.truncateTo(length);
    }

    @Override
    public long bytes() {
      return cache.bytes();
    }

    @Override
    public void reset() {
      if (cache.truncateTo(0) instanceof Truncation.Refused refused) {
        throw new IllegalStateException(
            "a cache must be able to empty itself: " + refused.reason());
      }
    }

    @Override
    public void close() {
      cache.close();
    }
  }
}
