package io.attention4j.benchmarks.sparse;

import io.attention4j.engine.operator.AttentionLayer;
import io.attention4j.engine.operator.AttentionOperator;
import io.attention4j.engine.operator.LayerInputs;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.Needs;
import io.attention4j.engine.operator.OperatorContext;
import io.attention4j.engine.operator.OperatorProvider;
import io.attention4j.engine.operator.OptionSpec;
import io.attention4j.engine.operator.SoftmaxOperator;
import io.attention4j.engine.spi.RopeKernel;
import io.attention4j.engine.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * The operator {@code record}: dense attention that keeps the rotated queries, the keys and the
 * values of every step, so that a model's own can be measured.
 */
public final class RecordingOperators implements OperatorProvider {
  /** Name in options. */
  static final String ID = "record";

  private static final List<Recorded> RECORDED = new ArrayList<>();

  /** What a layer was given in a step, [rows][heads][headDim] each. */
  record Recorded(
      int layer, int queryHeads, int kvHeads, int headDim, float[] q, float[] k, float[] v) {}

  /** For ServiceLoader. */
  public RecordingOperators() {}

  /** What was recorded since the last call, in order; of all models of this JVM. */
  static List<Recorded> take() {
    synchronized (RECORDED) {
      List<Recorded> taken = List.copyOf(RECORDED);
      RECORDED.clear();
      return taken;
    }
  }

  @Override
  public Set<String> names() {
    return Set.of(ID);
  }

  @Override
  public AttentionOperator create(OptionSpec option) {
    option.allow();
    return new Operator();
  }

  private static final class Operator implements AttentionOperator {
    @Override
    public String id() {
      return ID;
    }

    @Override
    public Needs needs() {
      return new SoftmaxOperator().needs();
    }

    @Override
    public AttentionLayer open(LayerShape shape, OperatorContext context) {
      // Rotated here, before they are kept.
      LayerShape rotated =
          new LayerShape(
              shape.layer(),
              shape.queryHeads(),
              shape.kvHeads(),
              shape.headDim(),
              shape.valueDim(),
              shape.scale(),
              shape.mask(),
              shape.modifiers(),
              shape.sinks(),
              null,
              shape.maxPositions());
      RopeKernel rope =
          shape.rope() == null ? null : context.kernels().select(RopeKernel.class, shape.rope());
      return new Layer(shape, rope, new SoftmaxOperator().open(rotated, context));
    }
  }

  private record Layer(LayerShape shape, RopeKernel rope, AttentionLayer dense)
      implements AttentionLayer {
    @Override
    public LayerState newState() {
      return dense.newState();
    }

    @Override
    public void attend(LayerState[] states, LayerInputs in, Tensor out) {
      int rows = in.batch().totalRows();
      if (rope != null) {
        rope.run(shape.rope(), in.q(), rows, in.rope().cos(), in.rope().sin());
        rope.run(shape.rope(), in.k(), rows, in.rope().cos(), in.rope().sin());
      }
      Recorded step =
          new Recorded(
              shape.layer(),
              shape.queryHeads(),
              shape.kvHeads(),
              shape.headDim(),
              in.q().slice(0, 0, rows).toFloats(),
              in.k().slice(0, 0, rows).toFloats(),
              in.v().slice(0, 0, rows).toFloats());
      synchronized (RECORDED) {
        RECORDED.add(step);
      }
      dense.attend(states, in, out);
    }

    @Override
    public void append(LayerState[] states, LayerInputs in) {
      dense.append(states, in);
    }

    @Override
    public void close() {
      dense.close();
    }
  }
}
