package io.attention4j.engine.recurrent.layer;

import io.attention4j.engine.recurrent.Gates;
import io.attention4j.engine.recurrent.Rows;
import io.attention4j.engine.recurrent.memory.MemoryState;

/**
 * The layers of Titans (Behrouz et al. 2024, arXiv 2501.00663, section 4), which combine the neural
 * memory ({@link io.attention4j.engine.recurrent.memory.Titans}) with attention:
 *
 * <ul>
 *   <li>LMM: the memory alone, y = norm(M([p, x])) * sigmoid(x W_G)
 *   <li>MAC, memory as context: segments of C tokens; h is what the memory of the segment's start
 *       answers, attention reads [p, h, x] of the segment, the memory learns its result y, and o =
 *       y gated by M(y)
 *   <li>MAG, memory as gate: attention over p and a window of x, gated by M([p, x])
 *   <li>MAL, memory as layer: attention over p and a window, of M([p, x])
 * </ul>
 *
 * <p>p are persistent tokens, visible to every token; the output projection W_O ends each. State of
 * constant size: memories and their momenta, tails of convolutions, and keys and values of a
 * segment or window. Causal: a token of a segment reads the h of tokens up to itself, and the
 * memory of updates up to itself; the paper writes both for the segment as a whole [R].
 *
 * <p>[R], where the paper leaves it open: the order projection, convolution, SiLU, unit norm; step
 * as a sigmoid times a maximum; the gate y norm_y * sigmoid(m norm_m) with rms norms; separate
 * projections W_Q, W_K, W_V under "attn." for the attention, which has no positions. The shifted
 * read of a common reimplementation, which answers from completed chunks only, is not offered.
 */
public final class TitansLayer implements SequenceLayer {
  /** How memory and attention are combined. */
  public enum Kind {
    /** The memory alone. */
    LMM,
    /** Memory as context. */
    MAC,
    /** Memory as gate. */
    MAG,
    /** Memory as layer. */
    MAL
  }

  // Arrays of a state before the memories.
  private static final int KEYS = 3;
  private static final int VALUES = 4;
  private static final int CONTEXT_KEYS = 5;
  private static final int CONTEXT_VALUES = 6;
  private static final int READ_TAIL = 7;

  private static final double EPSILON = 1e-6;

  private final Kind kind;
  private final TitansSettings settings;
  private final TitansMemory memory;
  private final Projection output;
  private final double[] memoryNorm;
  private final Projection outputGate;
  private final double[] attentionNorm;
  private final AttentionWeights attention;
  private final Rows persistent;

  /**
   * A layer of loaded weights: those of the memory (W_Q, W_K, W_V, conv, w_alpha, w_eta, w_theta
   * with biases b_alpha, b_eta, b_theta, M_init), W_O [width, width], p [persistentTokens, width];
   * LMM: norm_m [width], W_G [width, width]; MAC and MAG: norm_y and norm_m [width]; all but LMM:
   * attn.W_Q, attn.W_K, attn.W_V [width, width].
   *
   * @throws IllegalArgumentException if a weight is missing or does not fit; names it
   */
  public TitansLayer(Kind kind, TitansSettings settings, LayerWeights weights) {
    this.kind = kind;
    this.settings = settings;
    int width = settings.width();
    memory = new TitansMemory(settings, weights);
    output = weights.projection("W_O", width, width);
    memoryNorm = kind == Kind.MAL ? null : weights.values("norm_m", width);
    outputGate = kind == Kind.LMM ? weights.projection("W_G", width, width) : null;
    attentionNorm = kind == Kind.MAC || kind == Kind.MAG ? weights.values("norm_y", width) : null;
    LayerWeights attn = weights.under("attn");
    attention =
        kind == Kind.LMM
            ? null
            : new AttentionWeights(
                settings.heads(),
                attn.projection("W_Q", width, width),
                attn.projection("W_K", width, width),
                attn.projection("W_V", width, width),
                output,
                1 / Math.sqrt(settings.headDim()));
    persistent =
        settings.persistentTokens() == 0
            ? new Rows(new double[0], width)
            : weights.rows("p", settings.persistentTokens(), width);
  }

  @Override
  public int width() {
    return settings.width();
  }

  /** A state whose memory has learned the persistent tokens, and which attention sees. */
  @Override
  public SequenceState newState() {
    double[][] tails = memory.newTails();
    MemoryState[] heads = memory.newHeads();
    Rows context = persistent;
    if (kind != Kind.MAC) {
      Rows learned = memory.learn(persistent, heads, tails);
      context = kind == Kind.MAL ? learned : persistent;
    }
    MemoryState[] all = kind == Kind.MAC ? withStart(heads) : heads;
    boolean attends = kind != Kind.LMM;
    return new MemoryParts(
        all,
        tails[0],
        tails[1],
        tails[2],
        attends ? attention.k().apply(context).values() : new double[0],
        attends ? attention.v().apply(context).values() : new double[0],
        new double[0],
        new double[0],
        kind == Kind.MAC ? memory.newTails()[0] : new double[0]);
  }

  /** MAC reads the memory as it was at the segment's start: a second set of heads. */
  private MemoryState[] withStart(MemoryState[] heads) {
    MemoryState[] all = new MemoryState[2 * heads.length];
    System.arraycopy(heads, 0, all, 0, heads.length);
    System.arraycopy(memory.newHeads(), 0, all, heads.length, heads.length);
    return all;
  }

  @Override
  public long[] lengths(long tokens) {
    long[] lengths = SequenceLayer.super.lengths(tokens);
    if (kind == Kind.MAG || kind == Kind.MAL) {
      long kept = Math.min(tokens, settings.attentionTokens() - 1L) * width();
      lengths[KEYS] += kept;
      lengths[VALUES] += kept;
    } else if (kind == Kind.MAC && tokens > 0) {
      // A segment stays until the next begins.
      long kept = ((tokens - 1) % settings.attentionTokens() + 1) * width();
      for (int part : new int[] {KEYS, VALUES, CONTEXT_KEYS, CONTEXT_VALUES}) {
        lengths[part] += kept;
      }
    }
    return lengths;
  }

  @Override
  public Rows run(Rows hidden, Rows embeddings, SequenceState state) {
    if (hidden.width() != width()) {
      throw new IllegalArgumentException(
          "hidden states " + hidden + " do not fit a layer of width " + width());
    }
    Rows y =
        switch (kind) {
          case LMM -> {
            Rows gate = outputGate.apply(hidden).map(Gates::sigmoid);
            yield normed(learn(hidden, state), memoryNorm).times(gate);
          }
          case MAC -> segments(hidden, state);
          case MAG -> gated(window(hidden, state), learn(hidden, state));
          case MAL -> window(learn(hidden, state), state);
        };
    if (kind != Kind.MAC) {
      state.advance(hidden.tokens());
    }
    return output.apply(y);
  }

  /** The memories learn; their place in the chunk follows from the tokens they have seen. */
  private Rows learn(Rows x, SequenceState state) {
    return memory.learn(x, heads(state, 0), state.part(0), state.part(1), state.part(2));
  }

  private MemoryState[] heads(SequenceState state, int from) {
    long seen = state.tokens() + (kind == Kind.MAC ? 0 : persistent.tokens());
    MemoryState[] heads = new MemoryState[settings.heads()];
    for (int h = 0; h < heads.length; h++) {
      heads[h] = ((MemoryParts) state).head(from + h, (int) (seen % settings.chunk()));
    }
    return heads;
  }

  /** Attention over the persistent tokens and a window of the rows. */
  private Rows window(Rows x, SequenceState state) {
    int first = persistent.tokens();
    Rows k = state.append(KEYS, attention.k().apply(x));
    Rows v = state.append(VALUES, attention.v().apply(x));
    int past = k.tokens() - first - x.tokens();
    int window = settings.attentionTokens();
    Rows y =
        HeadAttention.softmax(
            attention.q().apply(x),
            k,
            v,
            settings.heads(),
            attention.scale(),
            (row, key) -> {
              int distance = past + row - (key - first);
              return key < first || distance >= 0 && distance < window;
            });
    int excess = Math.max(k.tokens() - first - (window - 1), 0);
    state.dropRows(KEYS, width(), first, excess);
    state.dropRows(VALUES, width(), first, excess);
    return y;
  }

  /** MAC, as much of a segment at a time as there is. */
  private Rows segments(Rows x, SequenceState state) {
    double[] y = new double[x.values().length];
    int from = 0;
    while (from < x.tokens()) {
      int inSegment = (int) (state.tokens() % settings.attentionTokens());
      int to = from + Math.min(settings.attentionTokens() - inSegment, x.tokens() - from);
      Rows part = segment(x.slice(from, to), state);
      System.arraycopy(part.values(), 0, y, from * width(), part.values().length);
      from = to;
    }
    return new Rows(y, width());
  }

  private Rows segment(Rows x, SequenceState state) {
    int inSegment = (int) (state.tokens() % settings.attentionTokens());
    int first = persistent.tokens();
    MemoryState[] start = heads(state, settings.heads());
    if (inSegment == 0) {
      MemoryState[] now = heads(state, 0);
      for (int h = 0; h < now.length; h++) {
        for (int a = 0; a < now[h].arrays().size(); a++) {
          double[] source = now[h].arrays().get(a);
          System.arraycopy(source, 0, start[h].arrays().get(a), 0, source.length);
        }
      }
      state.dropRows(KEYS, width(), first, settings.attentionTokens());
      state.dropRows(VALUES, width(), first, settings.attentionTokens());
      state.dropRows(CONTEXT_KEYS, width(), 0, settings.attentionTokens());
      state.dropRows(CONTEXT_VALUES, width(), 0, settings.attentionTokens());
    }
    Rows context = memory.read(x, start, state.part(READ_TAIL));
    Rows k = state.append(KEYS, attention.k().apply(x));
    Rows v = state.append(VALUES, attention.v().apply(x));
    Rows contextK = state.append(CONTEXT_KEYS, attention.k().apply(context));
    Rows contextV = state.append(CONTEXT_VALUES, attention.v().apply(context));
    int own = k.tokens();
    Rows y =
        HeadAttention.softmax(
            attention.q().apply(x),
            joined(k, contextK),
            joined(v, contextV),
            settings.heads(),
            attention.scale(),
            (row, key) -> key < first || (key < own ? key - first : key - own) <= inSegment + row);
    Rows remembered = learn(y, state);
    state.advance(x.tokens());
    return gated(y, remembered);
  }

  private static Rows joined(Rows a, Rows b) {
    double[] values = new double[a.values().length + b.values().length];
    System.arraycopy(a.values(), 0, values, 0, a.values().length);
    System.arraycopy(b.values(), 0, values, a.values().length, b.values().length);
    return new Rows(values, a.width());
  }

  private Rows gated(Rows y, Rows remembered) {
    return normed(y, attentionNorm).times(normed(remembered, memoryNorm).map(Gates::sigmoid));
  }

  static Rows normed(Rows x, double[] weight) {
    double[] y = x.values().clone();
    for (int t = 0; t < x.tokens(); t++) {
      double squares = 0;
      for (int i = 0; i < x.width(); i++) {
        squares += x.at(t, i) * x.at(t, i) / x.width();
      }
      for (int i = 0; i < x.width(); i++) {
        y[t * x.width() + i] *= weight[i] / Math.sqrt(squares + EPSILON);
      }
    }
    return new Rows(y, x.width());
  }
}
