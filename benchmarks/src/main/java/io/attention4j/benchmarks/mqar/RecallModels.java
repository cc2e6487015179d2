package io.attention4j.benchmarks.mqar;

import io.attention4j.engine.recurrent.DeltaNet;
import io.attention4j.engine.recurrent.GatedDeltaNet;
import io.attention4j.engine.recurrent.GatedLinearAttention;
import io.attention4j.engine.recurrent.KimiDeltaAttention;
import io.attention4j.engine.recurrent.Lama;
import io.attention4j.engine.recurrent.LinearAttention;
import io.attention4j.engine.recurrent.Mamba2;
import io.attention4j.engine.recurrent.QuasiLstm;
import io.attention4j.engine.recurrent.RetNet;
import io.attention4j.engine.recurrent.Rows;
import io.attention4j.engine.recurrent.Rwkv7;
import io.attention4j.engine.recurrent.SelectiveSsm;
import io.attention4j.engine.recurrent.layer.AarenLayer;
import io.attention4j.engine.recurrent.layer.ApproximateLayer;
import io.attention4j.engine.recurrent.layer.AttentionWeights;
import io.attention4j.engine.recurrent.layer.BaseConvLayer;
import io.attention4j.engine.recurrent.layer.FixedMapLayer;
import io.attention4j.engine.recurrent.layer.LamaLayer;
import io.attention4j.engine.recurrent.layer.LayerStack;
import io.attention4j.engine.recurrent.layer.MemoryLayer;
import io.attention4j.engine.recurrent.layer.MetaMixerLayer;
import io.attention4j.engine.recurrent.layer.MlpLayer;
import io.attention4j.engine.recurrent.layer.NonApproximateLayer;
import io.attention4j.engine.recurrent.layer.Projection;
import io.attention4j.engine.recurrent.layer.SequenceLayer;
import io.attention4j.engine.recurrent.layer.SigmoidLayer;
import io.attention4j.engine.recurrent.layer.SoftmaxLayer;
import io.attention4j.engine.recurrent.layer.SystemLayer;
import io.attention4j.engine.recurrent.memory.Memora;
import io.attention4j.engine.recurrent.memory.MemoryInputs;
import io.attention4j.engine.recurrent.memory.MemoryNetwork;
import io.attention4j.engine.recurrent.memory.Moneta;
import io.attention4j.engine.recurrent.memory.OnlineMemory;
import io.attention4j.engine.recurrent.memory.Titans;
import io.attention4j.engine.recurrent.memory.Yaad;
import java.util.Arrays;
import java.util.List;

/** The first and second layers from which {@link RecallModel}s are built. */
final class RecallModels {
  /** One bit of 12 wrong is a score of 1 - 2 / 12; e^-50 of the right one is nothing. */
  private static final double SHARP = 300;

  /** Opens and closes a gate to e^-40. */
  private static final double GATE = 40;

  /** GELU(x) is x in float64 from 9 on. */
  private static final double LIFT = 20;

  private final Codes codes;

  RecallModels(Codes codes) {
    this.codes = codes;
  }

  RecallModel model(SequenceLayer first, SequenceLayer second) {
    return new RecallModel(codes, new LayerStack(List.of(first, second), false));
  }

  /** The shift by attention: the query is the position, the key the position after the token. */
  private AttentionWeights shift() {
    return new AttentionWeights(
        1,
        codes.read(codes.position(), codes.positionDim()),
        codes.read(codes.nextPosition(), codes.positionDim()),
        codes.read(codes.own(), codes.keyDim()),
        codes.write(codes.previous(), codes.keyDim()),
        SHARP);
  }

  SequenceLayer softmaxShift() {
    return SoftmaxLayer.standard(shift());
  }

  SequenceLayer windowShift() {
    return new SoftmaxLayer(shift(), SoftmaxLayer.Source.HIDDEN, 2);
  }

  /** The shift as a map of positions alone, of one fixed sequence of any tokens. */
  SequenceLayer fixedShift(int tokens) {
    return new FixedMapLayer(shift(), codes.embed(new int[tokens]));
  }

  /** The lookup: own code against those of the tokens before, for the value. */
  AttentionWeights lookup(double scale) {
    return new AttentionWeights(
        1,
        codes.read(codes.own(), codes.keyDim()),
        codes.read(codes.previous(), codes.keyDim()),
        codes.read(codes.value(), codes.bits()),
        codes.write(codes.result(), codes.bits()),
        scale);
  }

  SequenceLayer softmax() {
    return SoftmaxLayer.standard(lookup(SHARP));
  }

  SequenceLayer window(int tokens) {
    return new SoftmaxLayer(lookup(SHARP), SoftmaxLayer.Source.HIDDEN, tokens);
  }

  /** Embeddings do not hold what came before, so no key can match. */
  SequenceLayer staticEmbeddings() {
    return new SoftmaxLayer(lookup(SHARP), SoftmaxLayer.Source.EMBEDDINGS, Integer.MAX_VALUE);
  }

  /** Right below the score of the right key, far above all others. */
  SequenceLayer sigmoid() {
    return new SigmoidLayer(lookup(SHARP), -SHARP * (1 - 1.0 / codes.keyDim()));
  }

  /** z large, so that its square outweighs what grows less. */
  SequenceLayer based() {
    return new ApproximateLayer(lookup(30), ApproximateLayer.Denominator.COMMON, 1e-12);
  }

  SequenceLayer linear() {
    return new SystemLayer(lookup(1), (_, _, q, k, v) -> LinearAttention.system(q, k, v, 1));
  }

  SequenceLayer retnet() {
    return new SystemLayer(
        lookup(1), (_, _, q, k, v) -> RetNet.system(q, k, v, RetNet.gamma(0), 1));
  }

  SequenceLayer deltanet() {
    return new SystemLayer(
        lookup(1), (_, _, q, k, v) -> DeltaNet.system(q, k, v, constant(1, k.tokens()), 1));
  }

  /** A little forgetting, as a trained gate would hardly avoid. */
  SequenceLayer gatedDeltanet() {
    return new SystemLayer(
        lookup(1),
        (_, _, q, k, v) ->
            GatedDeltaNet.system(
                q, k, v, constant(1, k.tokens()), constant(-0.001, k.tokens()), 1));
  }

  /** As {@link #gatedDeltanet} without the delta rule. */
  SequenceLayer gla() {
    return new SystemLayer(
        lookup(1),
        (_, _, q, k, v) -> GatedLinearAttention.system(q, k, v, constant(-0.001, k.tokens()), 1));
  }

  /** A step that decays a thousandth and weighs keys alike. */
  SequenceLayer mamba2() {
    return new SystemLayer(
        lookup(1), (_, _, q, k, v) -> Mamba2.system(v, k, q, constant(1, k.tokens()), -0.001, 0));
  }

  /** Mamba-2 with the step and A of every channel, here alike. */
  SequenceLayer s6() {
    return new SystemLayer(
        lookup(1),
        (_, _, q, k, v) ->
            SelectiveSsm.system(
                v,
                k,
                q,
                rows(1, v.tokens(), v.width()),
                rows(-0.001, v.width(), k.width()),
                rows(0, 1, v.width())));
  }

  /** Forgets half of the key's elements, faster than the other half. */
  SequenceLayer kda() {
    return new SystemLayer(
        lookup(1),
        (_, _, q, k, v) -> {
          double[] decay = new double[k.values().length];
          for (int i = 0; i < decay.length; i++) {
            decay[i] = i % 2 == 0 ? 0 : -0.002;
          }
          return KimiDeltaAttention.system(
              q, k, v, constant(1, k.tokens()), new Rows(decay, k.width()), 1);
        });
  }

  /** Removes what the key, of unit length, holds, and hardly decays. */
  SequenceLayer rwkv7() {
    return new SystemLayer(
        lookup(1),
        (_, _, q, k, v) ->
            Rwkv7.system(
                q,
                k,
                v,
                rows(Rwkv7.logDecay(-8), k.tokens(), k.width()),
                k,
                rows(1, k.tokens(), k.width())));
  }

  private static Rows rows(double value, int tokens, int width) {
    double[] values = new double[tokens * width];
    Arrays.fill(values, value);
    return new Rows(values, width);
  }

  /** Gradient steps of a half, which alone would be DeltaNet. */
  SequenceLayer titans(int chunk) {
    return memory(new Titans(network(), chunk), 0.0, 0.5, 0.0);
  }

  SequenceLayer yaad() {
    return memory(new Yaad(network(), 1, Yaad.Outlier.DIRECTION), 0.0, 0.5, 2.0);
  }

  SequenceLayer moneta() {
    Moneta moneta = new Moneta(network(), 1, 3, 4, Moneta.MirrorMap.PRINTED, Moneta.ErrorSign.HARD);
    return memory(moneta, 0.01, 0.5, null);
  }

  /** Rows that sum to one hold no sign of a single key, but differences between keys. */
  SequenceLayer memora() {
    return memory(new Memora(network(), 1), 1.0 / codes.keyDim(), 0.5, null);
  }

  private MemoryNetwork network() {
    return MemoryNetwork.linear(codes.keyDim(), codes.bits());
  }

  /** Nothing is forgotten. */
  private SequenceLayer memory(OnlineMemory memory, double initial, double step, Double gate) {
    double[] weights = new double[network().parameters()];
    Arrays.fill(weights, initial);
    return new MemoryLayer(
        lookup(1),
        memory,
        weights,
        (_, _, q, k, v) ->
            new MemoryInputs(
                q,
                k,
                v,
                constant(1, k.tokens()),
                constant(step, k.tokens()),
                gate == null ? null : constant(gate, k.tokens())));
  }

  private static Rows constant(double value, int tokens) {
    double[] values = new double[tokens];
    Arrays.fill(values, value);
    return new Rows(values, 1);
  }

  /** The learned query sees no token; any will do. */
  SequenceLayer aaren() {
    return new AarenLayer(lookup(SHARP), codes.embed(new int[] {1}));
  }

  SequenceLayer nonApproximate() {
    return new NonApproximateLayer(lookup(SHARP));
  }

  /** Pools by the agreement with one learned context, a key: nobody's question is in it. */
  SequenceLayer lama() {
    int heads = codes.keyDim();
    Rows p = codes.read(codes.own(), heads).weight().scaled(SHARP);
    Rows q = codes.read(codes.previous(), heads).weight().scaled(SHARP);
    Lama lama = new Lama(p, q, codes.embed(new int[] {1}), true);
    return new LamaLayer(
        lama,
        codes.read(codes.value(), codes.bits(), heads),
        codes.write(codes.result(), codes.bits(), heads, 1.0 / heads));
  }

  /**
   * A table of slots, addressed by the last bits of a key: behind a key of a slot its input gate
   * opens for the value and its forget gate closes; the token's own key opens the output gate.
   *
   * @param address bits, at least 2 and at most those of a binary code
   */
  SequenceLayer quasiLstm(int address) {
    int slots = 1 << address;
    AttentionWeights weights =
        new AttentionWeights(
            1,
            codes.read(codes.own(), address),
            codes.read(codes.previous(), address),
            codes.read(codes.value(), codes.bits(), slots),
            codes.write(codes.result(), codes.bits(), slots, 1),
            1);
    return new SystemLayer(
        weights,
        (_, _, q, k, v) -> {
          Rows write = slotGates(k, slots);
          return QuasiLstm.system(v, write.scaled(-1), write, slotGates(q, slots));
        });
  }

  /**
   * Before their sigmoids: open where all bits of the code are the slot's, far below 0 elsewhere.
   */
  private Rows slotGates(Rows code, int slots) {
    int bits = codes.bits();
    double[] gates = new double[code.tokens() * slots * bits];
    for (int t = 0; t < code.tokens(); t++) {
      for (int slot = 0; slot < slots; slot++) {
        double agreeing = 0;
        for (int b = 0; b < code.width(); b++) {
          agreeing += Codes.sign(slot, b) * code.at(t, b) * Math.sqrt(codes.keyDim());
        }
        int from = (t * slots + slot) * bits;
        Arrays.fill(gates, from, from + bits, GATE * (agreeing - code.width() + 1));
      }
    }
    return new Rows(gates, slots * bits);
  }

  /** The mean of the values of nine tokens: static kernels see places, not keys. */
  SequenceLayer metaMixer() {
    int width = codes.width();
    double[] query = new double[width * width];
    for (int i = 0; i < codes.bits(); i++) {
      query[(codes.value() + i) * width + codes.result() + i] = 1;
    }
    double[] keys = new double[width * 7];
    Arrays.fill(keys, 1.0 / 7);
    double[] values = new double[width * 3];
    Arrays.fill(values, 1.0 / 3);
    return mixer(new Projection(new Rows(query, width)), new Rows(keys, 7), new Rows(values, 3));
  }

  /** The shift of {@link #convShift} by the first of the two convolutions. */
  SequenceLayer metaMixerShift() {
    int width = codes.width();
    double[] query = new double[width * width];
    for (int c = codes.previous(); c < codes.previous() + codes.keyDim(); c++) {
      query[c * width + c] = 1;
    }
    double[] keys = new double[width * 2];
    for (int c = 0; c < width; c++) {
      keys[2 * c] = 1;
      keys[2 * c + 1] = -1;
    }
    double[] values = new double[width];
    Arrays.fill(values, 1);
    return mixer(new Projection(new Rows(query, width)), new Rows(keys, 2), new Rows(values, 1));
  }

  /** Biases lift what goes through GELU to where it is x. */
  private SequenceLayer mixer(Projection query, Rows keys, Rows values) {
    double[] up = new double[codes.width()];
    Arrays.fill(up, LIFT);
    double[] down = new double[codes.width()];
    double taps = Arrays.stream(values.values(), 0, values.width()).sum();
    Arrays.fill(down, -LIFT * taps);
    return new MetaMixerLayer(query, keys, up, values, down);
  }

  /** An MLP from the token's own code: nothing else is in its reach. */
  SequenceLayer mlp() {
    return new MlpLayer(
        codes.read(codes.own(), codes.bits()),
        codes.read(codes.previous(), codes.bits()),
        codes.write(codes.result(), codes.bits()));
  }

  /**
   * The shift by a convolution of two taps, whose channels are those that it writes: the code that
   * the embedding would have there is the token's own, which the filter takes away.
   */
  SequenceLayer convShift() {
    int width = codes.width();
    double[] filter = new double[width * 2];
    double[] open = new double[width];
    for (int c = codes.previous(); c < codes.previous() + codes.keyDim(); c++) {
      filter[2 * c] = 1;
      filter[2 * c + 1] = -1;
      open[c] = 1;
    }
    Projection gate = new Projection(new Rows(new double[width * width], width), open);
    return new BaseConvLayer(new Rows(filter, 2), gate);
  }
}
