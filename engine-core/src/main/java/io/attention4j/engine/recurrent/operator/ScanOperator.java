package io.attention4j.engine.recurrent.operator;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.operator.AttentionLayer;
import io.attention4j.engine.operator.AttentionOperator;
import io.attention4j.engine.operator.LayerInputs;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.Needs;
import io.attention4j.engine.operator.OperatorContext;
import io.attention4j.engine.operator.RecurrentState;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.LinearScanInputs;
import io.attention4j.engine.spi.LinearScanKernel;
import io.attention4j.engine.spi.LinearScanSpec;
import io.attention4j.engine.spi.RopeKernel;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Shape;
import io.attention4j.engine.tensor.Tensor;
import java.util.Set;

/**
 * A recurrence with a matrix as its state on the model's q, k and v, computed by the device's
 * {@link LinearScanKernel}: token by token in decoding, in chunks in prefill. What a token's gates
 * are is the {@link ScanRule}'s, computed in float64 on the host.
 *
 * @param id name in options
 * @param weights where the gates' weights come from
 * @param rank of the gates' low-rank maps
 * @param kind which recurrence
 */
record ScanOperator(String id, OperatorWeights weights, int rank, ScanRule.Kind kind)
    implements AttentionOperator {
  @Override
  public Needs needs() {
    return new Needs(Set.of(), Set.of(), Set.of(Needs.Direction.CAUSAL));
  }

  @Override
  public AttentionLayer open(LayerShape shape, OperatorContext context) {
    ScanRule rule = ScanRule.of(kind, shape, rank, weights.open(shape, context));
    return new Layer(id, shape, rule, context.kernels());
  }

  private static final class Layer implements AttentionLayer {
    private final String id;
    private final LayerShape shape;
    private final ScanRule rule;
    private final LinearScanSpec spec;
    private final LinearScanKernel scan;
    private final RopeKernel rope;
    private final Device device;
    private Device.TensorArena arena;
    private ScanTensors tensors;

    Layer(String id, LayerShape shape, ScanRule rule, KernelSelector kernels) {
      this.id = id;
      this.shape = shape;
      this.rule = rule;
      spec = rule.spec();
      scan = kernels.select(LinearScanKernel.class, spec);
      rope =
          rule.rotates() && shape.rope() != null
              ? kernels.select(RopeKernel.class, shape.rope())
              : null;
      device = kernels.device();
    }

    @Override
    public LayerState newState() {
      return new RecurrentState(
          id, device, Shape.of(spec.stateHeads(), spec.keyDim(), spec.valueDim()));
    }

    @Override
    public void attend(LayerState[] states, LayerInputs in, Tensor out) {
      AttentionBatch batch = in.batch();
      int rows = batch.totalRows();
      reserve(rows);
      if (rope != null) {
        rope.run(shape.rope(), in.q(), rows, in.rope().cos(), in.rope().sin());
        rope.run(shape.rope(), in.k(), rows, in.rope().cos(), in.rope().sin());
      }
      rule.load(in, rows, tensors);
      LinearScanInputs inputs = tensors.inputs();
      for (int s = 0; s < batch.sequences(); s++) {
        RecurrentState state = (RecurrentState) states[s];
        scan.run(spec, inputs, batch.firstRow(s), batch.rows(s), state.tensor(0), tensors.out());
        state.advance(batch.rows(s));
      }
      rule.finish(in, rows, tensors, out);
    }

    /** Outputs fall off: a state's update is the work. */
    @Override
    public void append(LayerState[] states, LayerInputs in) {
      int rows = in.batch().totalRows();
      try (Device.TensorArena temporary = device.newArena()) {
        Tensor unread =
            temporary.allocate(DType.F32, rows, (long) shape.queryHeads() * shape.valueDim());
        attend(states, in, unread);
      }
    }

    private void reserve(int rows) {
      if (tensors != null && tensors.out().extent(0) >= rows) {
        return;
      }
      close();
      arena = device.newArena();
      tensors = ScanTensors.allocate(arena, spec, rows);
    }

    @Override
    public void close() {
      if (arena != null) {
        arena.close();
        arena = null;
        tensors = null;
      }
    }
  }
}
