package io.attention4j.llm.tiny;

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
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Set;

/**
 * Softmax attention that shows what went in and out of each layer, as a user's own operator would
 * be plugged in: {@code --attention test.record}. The settings {@code weights} and {@code extras}
 * name something that it then needs.
 */
public final class RecordingOperator implements OperatorProvider {
  public static final String ID = "test.record";

  /** Receives rotated queries and keys, values and outputs of the rows of a step. */
  @FunctionalInterface
  public interface Recorder {
    void record(int layer, String what, float[] values);
  }

  /** Where records of this thread go; the decoder runs on the thread of its caller here. */
  public static final ThreadLocal<Recorder> RECORDER = new ThreadLocal<>();

  @Override
  public Set<String> names() {
    return Set.of(ID);
  }

  @Override
  public AttentionOperator create(OptionSpec option) {
    SoftmaxOperator softmax = new SoftmaxOperator();
    return new AttentionOperator() {
      @Override
      public String id() {
        return ID;
      }

      @Override
      public Needs needs() {
        return new Needs(
            names(option, "extras"), names(option, "weights"), softmax.needs().directions());
      }

      @Override
      public AttentionLayer open(LayerShape shape, OperatorContext context) {
        return new Layer(shape.layer(), softmax.open(shape, context));
      }
    };
  }

  private static Set<String> names(OptionSpec option, String key) {
    String name = option.allow("extras", "weights").text(key, "");
    return name.isEmpty() ? Set.of() : Set.of(name);
  }

  private record Layer(int layer, AttentionLayer softmax) implements AttentionLayer {
    @Override
    public LayerState newState() {
      return softmax.newState();
    }

    @Override
    public void attend(LayerState[] states, LayerInputs in, Tensor out) {
      softmax.attend(states, in, out);
      Recorder recorder = RECORDER.get();
      if (recorder != null) {
        int rows = in.batch().totalRows();
        recorder.record(layer, "q_rope", values(in.q(), rows));
        recorder.record(layer, "k_rope", values(in.k(), rows));
        recorder.record(layer, "v", values(in.v(), rows));
        recorder.record(layer, "attn_out", values(out, rows));
      }
    }

    private static float[] values(Tensor tensor, int rows) {
      float[] values = new float[(int) (rows * tensor.extent(1) * tensor.extent(2))];
      MemorySegment.copy(tensor.segment(), Tensor.FLOAT, 0, values, 0, values.length);
      return values;
    }

    @Override
    public void append(LayerState[] states, LayerInputs in) {
      softmax.append(states, in);
    }

    @Override
    public void close() {
      softmax.close();
    }
  }
}
