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
import io.attention4j.engine.recurrent.Gates;
import io.attention4j.engine.recurrent.Lama;
import io.attention4j.engine.recurrent.Rows;
import io.attention4j.engine.recurrent.layer.LayerWeights;
import io.attention4j.engine.recurrent.layer.Projection;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.PrefixAttentionKernel;
import io.attention4j.engine.spi.PrefixAttentionSpec;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Shape;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Set;

/**
 * Softmax over every prefix where a token's score does not depend on who asks: a recurrence of
 * constant state (m, u, w) per query head on the device's {@link PrefixAttentionKernel}, the scan
 * of {@link io.attention4j.engine.recurrent.Aaren}. Values are the model's; what differs is the
 * score.
 *
 * @param id name in options
 * @param weights where the scores' weights come from
 * @param kind which score
 */
record PrefixOperator(String id, OperatorWeights weights, Kind kind) implements AttentionOperator {
  /** Scores. */
  enum Kind {
    /** scale q_h^T k_j, one learned query per head, weight "query" [queryHeads, headDim]. */
    AAREN,
    /** scale SiLU(q_j)^T k_j, of the token's own query; no weights. */
    NON_APPROXIMATE,
    /**
     * {@link Lama}'s tanh((P^T c)_h (Q^T x_j)_h), of unit norm over heads, with a learned context;
     * weights "P" and "Q" [modelDim, queryHeads], "context" [1, modelDim]. Heads pool the model's
     * values, not x itself [R].
     */
    LAMA
  }

  /** Scores of the rows of a step, F32 [rows, queryHeads]; made without allocating. */
  private interface Scores extends AutoCloseable {
    void of(LayerInputs in, int rows, Tensor scores);

    default void allocate(Device.TensorArena arena, int rows) {}

    @Override
    default void close() {}
  }

  @Override
  public Needs needs() {
    return new Needs(Set.of(), Set.of(), Set.of(Needs.Direction.CAUSAL));
  }

  @Override
  public AttentionLayer open(LayerShape shape, OperatorContext context) {
    return new Layer(id, shape, context.kernels(), scores(shape, context));
  }

  private Scores scores(LayerShape shape, OperatorContext context) {
    LayerWeights own = weights.open(shape, context);
    return switch (kind) {
      case AAREN -> {
        Rows query = own.rows("query", shape.queryHeads(), shape.headDim());
        yield (in, rows, scores) -> products(shape, query, in, rows, scores);
      }
      case NON_APPROXIMATE -> (in, rows, scores) -> products(shape, null, in, rows, scores);
      case LAMA -> new LamaScores(shape, own, context.kernels());
    };
  }

  /** scale q^T k, with one row of queries for all tokens, or SiLU of each one's own. */
  private static void products(
      LayerShape shape, Rows shared, LayerInputs in, int rows, Tensor scores) {
    MemorySegment q = OperatorWeights.host(in.q());
    MemorySegment k = OperatorWeights.host(in.k());
    MemorySegment to = OperatorWeights.host(scores);
    int heads = shape.queryHeads();
    int dim = shape.headDim();
    int group = heads / shape.kvHeads();
    for (int t = 0; t < rows; t++) {
      for (int h = 0; h < heads; h++) {
        long query = in.q().byteOffset() + 4L * (t * heads + h) * dim;
        long key = in.k().byteOffset() + 4L * (t * shape.kvHeads() + h / group) * dim;
        double sum = 0;
        for (int d = 0; d < dim; d++) {
          double asked =
              shared != null ? shared.at(h, d) : Gates.silu(q.get(Tensor.FLOAT, query + 4L * d));
          sum += asked * k.get(Tensor.FLOAT, key + 4L * d);
        }
        float score = (float) (shape.scale() * sum);
        to.set(Tensor.FLOAT, scores.byteOffset() + 4L * (t * heads + h), score);
      }
    }
  }

  /** {@link Lama#scores} with Q^T x by the device's matrix kernel; P^T c does not change. */
  private static final class LamaScores implements Scores {
    private final int heads;
    private final double[] ofContext;
    private final double[] z;
    private final Arena arena = Arena.ofShared();
    private final Product map;

    LamaScores(LayerShape shape, LayerWeights own, KernelSelector kernels) {
      int width = shape.modelDim();
      heads = shape.queryHeads();
      z = new double[heads];
      Lama lama =
          new Lama(
              own.rows("P", width, heads),
              own.rows("Q", width, heads),
              own.rows("context", 1, width),
              heads > 1);
      ofContext = new Projection(lama.p()).apply(lama.context()).values();
      map = new Product(kernels, arena, new Projection(lama.q()));
    }

    @Override
    public void allocate(Device.TensorArena rowArena, int rows) {
      map.allocate(rowArena, rows);
    }

    @Override
    public void of(LayerInputs in, int rows, Tensor scores) {
      map.run(in.hidden(), rows);
      MemorySegment tokens = OperatorWeights.host(map.output(0));
      MemorySegment to = OperatorWeights.host(scores);
      for (int t = 0; t < rows; t++) {
        double squares = 0;
        for (int h = 0; h < heads; h++) {
          long at = map.output(0).byteOffset() + 4L * (t * heads + h);
          z[h] = Math.tanh(ofContext[h] * tokens.get(Tensor.FLOAT, at));
          squares += z[h] * z[h];
        }
        // A token whose scores are all 0 keeps them; the norm would make them NaN.
        double norm = heads > 1 && squares > 0 ? Math.sqrt(squares) : 1;
        for (int h = 0; h < heads; h++) {
          long at = scores.byteOffset() + 4L * (t * heads + h);
          to.set(Tensor.FLOAT, at, (float) (z[h] / norm));
        }
      }
    }

    @Override
    public void close() {
      map.close();
      arena.close();
    }
  }

  private static final class Layer implements AttentionLayer {
    private final String id;
    private final LayerShape shape;
    private final Device device;
    private final Scores scores;
    private final PrefixAttentionSpec spec;
    private final PrefixAttentionKernel kernel;
    private Device.TensorArena room;
    private int capacity;
    private Tensor scoreRows;
    private Tensor values;
    private Tensor unread;

    Layer(String id, LayerShape shape, KernelSelector kernels, Scores scores) {
      this.id = id;
      this.shape = shape;
      this.scores = scores;
      device = kernels.device();
      spec = new PrefixAttentionSpec(shape.queryHeads(), shape.valueDim());
      kernel = kernels.select(PrefixAttentionKernel.class, spec);
    }

    @Override
    public LayerState newState() {
      return new RecurrentState(id, device, Shape.of(spec.heads(), spec.stateSize()));
    }

    @Override
    public void attend(LayerState[] states, LayerInputs in, Tensor out) {
      AttentionBatch batch = in.batch();
      int rows = batch.totalRows();
      reserve(rows);
      scores.of(in, rows, scoreRows);
      Tensor v = perQueryHead(in.v(), rows);
      for (int s = 0; s < batch.sequences(); s++) {
        RecurrentState state = (RecurrentState) states[s];
        int first = batch.firstRow(s);
        int count = batch.rows(s);
        kernel.run(
            spec, from(scoreRows, first), from(v, first), count, state.tensor(0), from(out, first));
        state.advance(count);
      }
    }

    /** A view from a row on; a step of one sequence needs none. */
    private static Tensor from(Tensor tensor, int first) {
      return first == 0 ? tensor : tensor.slice(0, first, tensor.extent(0) - first);
    }

    /** The values of KV heads, once for each query head that shares them. */
    private Tensor perQueryHead(Tensor v, int rows) {
      int heads = shape.queryHeads();
      int group = heads / shape.kvHeads();
      if (group == 1) {
        return v;
      }
      long bytes = 4L * shape.valueDim();
      for (int i = 0; i < rows * heads; i++) {
        long source = (long) i / heads * shape.kvHeads() + i % heads / group;
        MemorySegment.copy(
            OperatorWeights.host(v),
            v.byteOffset() + source * bytes,
            OperatorWeights.host(values),
            values.byteOffset() + i * bytes,
            bytes);
      }
      return values;
    }

    /** Outputs fall off: a state's update is the work. */
    @Override
    public void append(LayerState[] states, LayerInputs in) {
      reserve(in.batch().totalRows());
      attend(states, in, unread);
    }

    private void reserve(int rows) {
      if (rows <= capacity) {
        return;
      }
      if (room != null) {
        room.close();
      }
      room = device.newArena();
      scoreRows = room.allocate(DType.F32, rows, spec.heads());
      values = room.allocate(DType.F32, rows, spec.heads(), spec.valueDim());
      unread = room.allocate(DType.F32, rows, spec.heads(), spec.valueDim());
      scores.allocate(room, rows);
      capacity = rows;
    }

    @Override
    public void close() {
      if (room != null) {
        room.close();
        room = null;
        capacity = 0;
      }
      scores.close();
    }
  }
}
