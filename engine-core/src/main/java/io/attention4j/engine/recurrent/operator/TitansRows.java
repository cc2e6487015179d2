package io.attention4j.engine.recurrent.operator;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.RecurrentState;
import io.attention4j.engine.recurrent.layer.LayerWeights;
import io.attention4j.engine.recurrent.layer.Projection;
import io.attention4j.engine.recurrent.layer.SequenceState;
import io.attention4j.engine.recurrent.layer.TitansLayer;
import io.attention4j.engine.recurrent.layer.TitansLayer.Kind;
import io.attention4j.engine.recurrent.layer.TitansSettings;
import io.attention4j.engine.recurrent.memory.MemoryNetwork;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.ActivationKernel.Function;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.ElementwiseKernel;
import io.attention4j.engine.spi.ElementwiseKernel.Operation;
import io.attention4j.engine.spi.OnlineMemoryInputs;
import io.attention4j.engine.spi.OnlineMemorySpec;
import io.attention4j.engine.spi.OnlineMemorySpec.Rule;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Shape;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/**
 * {@link TitansLayer} on F32 kernels, and its weights. A state has the convolutions' tails and the
 * memories; with attention, then keys and values, those of the persistent tokens first, behind them
 * a ring of the window or the segment; MAC adds the segment's contexts, the tail of the queries
 * that ask for them, and the memories' weights at its start.
 */
final class TitansRows extends MemoryRows {
  // Tensors of a state.
  private static final int KEYS = OWN;
  private static final int VALUES = OWN + 1;
  private static final int CONTEXT_KEYS = OWN + 2;
  private static final int CONTEXT_VALUES = OWN + 3;
  private static final int READ_TAIL = OWN + 4;
  private static final int START = OWN + 5;

  // Arrays of the float64 layer's state.
  private static final int INITIAL_KEYS = 3;
  private static final int INITIAL_VALUES = 4;
  private static final int OTHERS = 5;

  // Outputs of the maps of x.
  private static final int RETENTION = 3;
  private static final int MOMENTUM = 4;
  private static final int STEP = 5;
  private static final int GATE = 6;

  private final Kind kind;
  private final TitansSettings settings;
  private final Product maps;
  private final Product asking;
  private final Product attention;
  private final Product contexts;
  private final Product output;
  private final Convolution[] convolutions;
  private final Unit unit;
  private final ElementwiseKernel elementwise;
  private final RowNorm memoryNorm;
  private final RowNorm attentionNorm;
  private final KeptKeys keys;
  private final float[] persistentKeys;
  private final float[] persistentValues;
  private final Tensor[] mixed = new Tensor[3];
  private OnlineMemoryInputs inputs;
  private Tensor remembered;
  private Tensor attended;
  private Tensor part;
  private Tensor context;
  private Tensor y;

  TitansRows(
      String id, Kind kind, TitansSettings settings, LayerWeights weights, KernelSelector kernels) {
    this(id, kind, settings, new TitansLayer(kind, settings, weights).newState(), weights, kernels);
  }

  private TitansRows(
      String id,
      Kind kind,
      TitansSettings settings,
      SequenceState empty,
      LayerWeights weights,
      KernelSelector kernels) {
    super(id, kernels, settings.width(), spec(settings), empty, OTHERS, own(kind, settings));
    this.kind = kind;
    this.settings = settings;
    persistentKeys = Product.narrow(empty.values()[INITIAL_KEYS]);
    persistentValues = Product.narrow(empty.values()[INITIAL_VALUES]);
    Projection q = weights.projection("W_Q", width, width);
    Projection k = weights.projection("W_K", width, width);
    Projection v = weights.projection("W_V", width, width);
    Projection alpha = gate(weights, "alpha", -1);
    Projection eta = gate(weights, "eta", 1);
    Projection theta = gate(weights, "theta", 1);
    maps =
        kind == Kind.LMM
            ? product(q, k, v, alpha, eta, theta, weights.projection("W_G", width, width))
            : product(q, k, v, alpha, eta, theta);
    output = product(weights.projection("W_O", width, width));
    convolutions = convolutions(weights);
    unit = new Unit(settings.headDim());
    elementwise = kernels.select(ElementwiseKernel.class, Operation.SCALE);
    memoryNorm = kind == Kind.MAL ? null : new RowNorm(weights.values("norm_m", width), EPSILON);
    attentionNorm =
        kind == Kind.MAC || kind == Kind.MAG
            ? new RowNorm(weights.values("norm_y", width), EPSILON)
            : null;
    boolean attends = kind != Kind.LMM;
    LayerWeights attn = weights.under("attn");
    attention =
        attends
            ? product(
                attn.projection("W_Q", width, width),
                attn.projection("W_K", width, width),
                attn.projection("W_V", width, width))
            : null;
    contexts =
        kind == Kind.MAC
            ? product(attn.projection("W_K", width, width), attn.projection("W_V", width, width))
            : null;
    asking = kind == Kind.MAC ? product(q) : null;
    int most = settings.persistentTokens() + 2 * settings.attentionTokens();
    keys = attends ? new KeptKeys(settings.heads(), width, most) : null;
  }

  private static OnlineMemorySpec spec(TitansSettings settings) {
    MemoryNetwork network =
        MemoryNetwork.mlp(
            settings.headDim(), settings.depth(), settings.expansion(), settings.residual());
    return new OnlineMemorySpec(settings.heads(), network, settings.chunk(), Rule.TITANS);
  }

  private static Shape[] own(Kind kind, TitansSettings settings) {
    int width = settings.width();
    int window = settings.attentionTokens();
    Shape kept = Shape.of(settings.persistentTokens() + (long) window, width);
    Shape segment = Shape.of(window, width);
    return switch (kind) {
      case LMM -> new Shape[0];
      case MAG, MAL -> new Shape[] {kept, kept};
      case MAC ->
          new Shape[] {
            kept,
            kept,
            segment,
            segment,
            Convolution.tail(width, TAPS),
            Shape.of(1, settings.heads(), spec(settings).network().parameters())
          };
    };
  }

  /** A gate's map, negated for 1 - sigmoid. */
  private Projection gate(LayerWeights weights, String name, double sign) {
    double[] bias = weights.values("b_" + name, spec.heads());
    for (int i = 0; i < bias.length; i++) {
      bias[i] *= sign;
    }
    return new Projection(weights.rows("w_" + name, width, spec.heads()).scaled(sign), bias);
  }

  @Override
  void start(RecurrentState state) {
    super.start(state);
    if (kind != Kind.LMM) {
      store(persistentKeys, state.tensor(KEYS));
      store(persistentValues, state.tensor(VALUES));
    }
  }

  @Override
  void allocate(Device.TensorArena arena, int rows) {
    for (int i = 0; i < mixed.length; i++) {
      mixed[i] = arena.allocate(DType.F32, rows, spec.heads(), width / spec.heads());
    }
    remembered = arena.allocate(DType.F32, rows, width);
    attended = arena.allocate(DType.F32, rows, width);
    if (kind == Kind.MAC) {
      part = arena.allocate(DType.F32, rows, width);
      context = arena.allocate(DType.F32, rows, width);
      y = arena.allocate(DType.F32, rows, width);
    }
    inputs =
        new OnlineMemoryInputs(
            mixed[0],
            mixed[1],
            mixed[2],
            maps.output(RETENTION),
            maps.output(STEP),
            maps.output(MOMENTUM));
  }

  @Override
  void run(LayerState[] states, AttentionBatch batch, Tensor hidden, int rows, Tensor out) {
    switch (kind) {
      case LMM -> {
        learn(states, batch, hidden, rows);
        memoryNorm.run(remembered, rows);
        activate(Function.SIGMOID, maps.output(GATE), remembered, rows * width);
        output.run(maps.output(GATE), rows, out);
      }
      case MAG -> {
        learn(states, batch, hidden, rows);
        window(states, batch, hidden, rows);
        gated(attended, rows);
        output.run(remembered, rows, out);
      }
      case MAL -> {
        learn(states, batch, hidden, rows);
        window(states, batch, remembered, rows);
        output.run(attended, rows, out);
      }
      case MAC -> {
        for (int s = 0; s < batch.sequences(); s++) {
          segments((RecurrentState) states[s], hidden, batch.firstRow(s), batch.rows(s));
        }
        output.run(attended, rows, out);
      }
    }
  }

  /** What the memories answer to rows that they learn, all sequences, into remembered. */
  private void learn(LayerState[] states, AttentionBatch batch, Tensor x, int rows) {
    maps.run(x, rows);
    for (int i = 0; i < convolutions.length; i++) {
      convolutions[i].run(states, batch, maps.output(i), mixed[i]);
    }
    prepare(rows);
    for (int s = 0; s < batch.sequences(); s++) {
      RecurrentState state = (RecurrentState) states[s];
      long seen = state.length() + settings.persistentTokens();
      remember(state, seen, batch.firstRow(s), batch.rows(s));
    }
  }

  private void remember(RecurrentState state, long seen, int first, int rows) {
    int place = (int) (seen % spec.chunk());
    memory.run(spec, inputs, first, rows, place, state.tensor(MEMORY), remembered);
  }

  /** What follows the convolutions: SiLU, unit norms and the gates' sigmoids. */
  private void prepare(int rows) {
    for (Tensor rowsOf : mixed) {
      activate(Function.SILU, rowsOf, null, rows * width);
    }
    unit.run(mixed[0], rows);
    unit.run(mixed[1], rows);
    int gates = rows * spec.heads();
    activate(Function.SIGMOID, maps.output(RETENTION), null, gates);
    activate(Function.SIGMOID, maps.output(MOMENTUM), null, gates);
    activate(Function.SIGMOID, maps.output(STEP), null, gates);
    elementwise.run(Operation.SCALE, maps.output(STEP), null, (float) settings.maxStep(), gates);
  }

  /** Attention over the persistent tokens and a window, into attended. */
  private void window(LayerState[] states, AttentionBatch batch, Tensor x, int rows) {
    attention.run(x, rows);
    int persistent = settings.persistentTokens();
    int window = settings.attentionTokens();
    for (int s = 0; s < batch.sequences(); s++) {
      RecurrentState state = (RecurrentState) states[s];
      for (int t = 0; t < batch.rows(s); t++) {
        long position = state.length() + t;
        int row = batch.firstRow(s) + t;
        int slot = persistent + (int) (position % window);
        keys.keep(attention.output(1), row, state.tensor(KEYS), slot);
        keys.keep(attention.output(2), row, state.tensor(VALUES), slot);
        int seen = persistent + (int) Math.min(position + 1, window);
        keys.ask(attention.output(0), row);
        keys.score(state.tensor(KEYS), seen);
        keys.normalize();
        keys.add(state.tensor(VALUES), seen, 0);
        keys.store(attended, row);
      }
    }
  }

  /** Makes what was remembered the gate of rows, both normed. */
  private void gated(Tensor rowsOf, int rows) {
    attentionNorm.run(rowsOf, rows);
    memoryNorm.run(remembered, rows);
    activate(Function.SIGMOID, remembered, rowsOf, rows * width);
  }

  /** MAC, as much of a segment at a time as there is, into attended. */
  private void segments(RecurrentState state, Tensor hidden, int first, int rows) {
    int done = 0;
    while (done < rows) {
      long seen = state.length() + done;
      int inSegment = (int) (seen % settings.attentionTokens());
      int count = Math.min(settings.attentionTokens() - inSegment, rows - done);
      for (int t = 0; t < count; t++) {
        keys.keep(hidden, first + done + t, part, t);
      }
      segment(state, seen, inSegment, count);
      for (int t = 0; t < count; t++) {
        keys.keep(remembered, t, attended, first + done + t);
      }
      done += count;
    }
  }

  private void segment(RecurrentState state, long seen, int inSegment, int rows) {
    Tensor start = state.tensor(START);
    if (inSegment == 0) {
      copy(state.tensor(MEMORY), start);
    }
    asking.run(part, rows);
    convolutions[0].run(state.tensor(READ_TAIL), asking.output(0), 0, rows, mixed[0]);
    activate(Function.SILU, mixed[0], null, rows * width);
    unit.run(mixed[0], rows);
    memory.read(spec, mixed[0], 0, rows, start, context);
    attention.run(part, rows);
    contexts.run(context, rows);
    int persistent = settings.persistentTokens();
    for (int t = 0; t < rows; t++) {
      int place = inSegment + t;
      keys.keep(attention.output(1), t, state.tensor(KEYS), persistent + place);
      keys.keep(attention.output(2), t, state.tensor(VALUES), persistent + place);
      keys.keep(contexts.output(0), t, state.tensor(CONTEXT_KEYS), place);
      keys.keep(contexts.output(1), t, state.tensor(CONTEXT_VALUES), place);
      int own = persistent + place + 1;
      keys.ask(attention.output(0), t);
      keys.score(state.tensor(KEYS), own);
      keys.score(state.tensor(CONTEXT_KEYS), place + 1);
      keys.normalize();
      keys.add(state.tensor(VALUES), own, 0);
      keys.add(state.tensor(CONTEXT_VALUES), place + 1, own);
      keys.store(y, t);
    }
    maps.run(y, rows);
    for (int i = 0; i < convolutions.length; i++) {
      convolutions[i].run(state, maps.output(i), 0, rows, mixed[i]);
    }
    prepare(rows);
    remember(state, seen, 0, rows);
    gated(y, rows);
  }

  /** The weights, which are first, of all memories. */
  private static void copy(Tensor memories, Tensor start) {
    MemorySegment.copy(
        OperatorWeights.host(memories),
        memories.byteOffset(),
        OperatorWeights.host(start),
        start.byteOffset(),
        start.byteSize());
  }
}
