package io.attention4j.engine.recurrent.layer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.recurrent.Cases;
import io.attention4j.engine.recurrent.Gates;
import io.attention4j.engine.recurrent.Rows;
import io.attention4j.engine.recurrent.memory.MemoryState;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** The wiring of Titans and Miras; splits and causality are in {@link LayersTest}. */
class MemoryLayersTest {
  private static final int WIDTH = MemoryLayerCases.WIDTH;
  private static final int HEADS = MemoryLayerCases.HEADS;

  @Test
  void statesDoNotGrow() {
    Rows x = LayerCases.tokens(60);
    MemoryLayerCases.all()
        .forEach(
            (name, layer) -> {
              SequenceState state = layer.newState();
              layer.run(x.slice(0, 8), x.slice(0, 8), state);
              long elements = state.elements();
              layer.run(x.slice(8, 60), x.slice(8, 60), state);
              assertEquals(elements, state.elements(), name);
            });
  }

  /** The equations of MAC, segment by segment and token by token, from the beginning each time. */
  @Test
  void macFollowsItsDefinition() {
    LayerWeights weights = MemoryLayerCases.weights(MemoryLayerCases.titansShapes());
    TitansSettings settings = MemoryLayerCases.settings(3);
    TitansLayer layer = new TitansLayer(TitansLayer.Kind.MAC, settings, weights);
    int tokens = 11;
    Rows x = LayerCases.tokens(tokens);
    Rows actual = layer.run(x, x, layer.newState());

    TitansMemory memory = new TitansMemory(settings, weights);
    MemoryState[] heads = memory.newHeads();
    double[][] tails = memory.newTails();
    double[] readTail = memory.newTails()[0];
    LayerWeights attn = weights.under("attn");
    Projection wq = attn.projection("W_Q", WIDTH, WIDTH);
    Projection wk = attn.projection("W_K", WIDTH, WIDTH);
    Projection wv = attn.projection("W_V", WIDTH, WIDTH);
    Rows p = weights.rows("p", MemoryLayerCases.PERSISTENT, WIDTH);
    int segment = MemoryLayerCases.ATTENTION;
    for (int from = 0; from < tokens; from += segment) {
      Rows s = x.slice(from, Math.min(from + segment, tokens));
      // All of h before any learning of this segment. Keys in the layer's order: unit norms of
      // small
      // vectors would make 1e-16 of another order of summing 1e-12.
      Rows h = memory.read(s, heads, readTail);
      for (int t = 0; t < s.tokens(); t++) {
        Rows visible = joined(joined(p, s.slice(0, t + 1)), h.slice(0, t + 1));
        Rows y =
            HeadAttention.softmax(
                wq.apply(s.slice(t, t + 1)),
                wk.apply(visible),
                wv.apply(visible),
                HEADS,
                1 / Math.sqrt(WIDTH / (double) HEADS),
                (row, key) -> true);
        Rows m = memory.learn(y, heads, tails);
        Rows gate = TitansLayer.normed(m, weights.values("norm_m", WIDTH)).map(Gates::sigmoid);
        Rows o =
            weights
                .projection("W_O", WIDTH, WIDTH)
                .apply(TitansLayer.normed(y, weights.values("norm_y", WIDTH)).times(gate));
        Cases.assertClose(o, actual.slice(from + t, from + t + 1), "token " + (from + t));
      }
    }
  }

  private static Rows joined(Rows a, Rows b) {
    double[] values = new double[a.values().length + b.values().length];
    System.arraycopy(a.values(), 0, values, 0, a.values().length);
    System.arraycopy(b.values(), 0, values, a.values().length, b.values().length);
    return new Rows(values, a.width());
  }

  /** MAG and MAL as one pass over [p, x], whose first rows are dropped. */
  @Test
  void magAndMalFollowTheirDefinitions() {
    LayerWeights weights = MemoryLayerCases.weights(MemoryLayerCases.titansShapes());
    TitansSettings settings = MemoryLayerCases.settings(3);
    int tokens = 11;
    int first = MemoryLayerCases.PERSISTENT;
    Rows x = LayerCases.tokens(tokens);
    Rows p = weights.rows("p", first, WIDTH);
    Rows all = joined(p, x);
    TitansMemory memory = new TitansMemory(settings, weights);
    Rows m = memory.learn(all, memory.newHeads(), memory.newTails());

    Rows attended = attend(weights, all, first).slice(first, first + tokens);
    Rows gate =
        TitansLayer.normed(m.slice(first, first + tokens), weights.values("norm_m", WIDTH))
            .map(Gates::sigmoid);
    Projection out = weights.projection("W_O", WIDTH, WIDTH);
    Rows mag = out.apply(TitansLayer.normed(attended, weights.values("norm_y", WIDTH)).times(gate));
    assertLayer(TitansLayer.Kind.MAG, settings, weights, x, mag);
    Rows mal = out.apply(attend(weights, m, first).slice(first, first + tokens));
    assertLayer(TitansLayer.Kind.MAL, settings, weights, x, mal);
  }

  private static Rows attend(LayerWeights weights, Rows all, int first) {
    LayerWeights attn = weights.under("attn");
    return HeadAttention.softmax(
        attn.projection("W_Q", WIDTH, WIDTH).apply(all),
        attn.projection("W_K", WIDTH, WIDTH).apply(all),
        attn.projection("W_V", WIDTH, WIDTH).apply(all),
        HEADS,
        1 / Math.sqrt(WIDTH / (double) HEADS),
        (row, key) -> key < first || key <= row && row - key < MemoryLayerCases.ATTENTION);
  }

  private static void assertLayer(
      TitansLayer.Kind kind, TitansSettings settings, LayerWeights weights, Rows x, Rows y) {
    TitansLayer layer = new TitansLayer(kind, settings, weights);
    Cases.assertClose(y, layer.run(x, x, layer.newState()), kind.name());
  }

  private static String refusal(Runnable action) {
    return assertThrows(IllegalArgumentException.class, action::run).getMessage();
  }

  @Test
  void refusals() {
    Map<String, long[]> lacking = new HashMap<>(MemoryLayerCases.titansShapes());
    lacking.remove("w_eta");
    String missing =
        refusal(
            () ->
                new TitansLayer(
                    TitansLayer.Kind.MAG,
                    MemoryLayerCases.settings(4),
                    MemoryLayerCases.weights(lacking)));
    assertEquals("the weights lack 'w_eta' [8, 2], which this layer computes with", missing);
    String depth =
        refusal(
            () ->
                new TitansLayer(
                    TitansLayer.Kind.LMM,
                    new TitansSettings(8, 2, 3, 4, true, 1, 1, 0, 1),
                    MemoryLayerCases.weights(MemoryLayerCases.titansShapes())));
    assertTrue(depth.startsWith("'M_init' is F32[2, 128] but this layer needs [2, 384]"), depth);
    assertThrows(
        IllegalArgumentException.class, () -> new TitansSettings(9, 2, 1, 1, true, 1, 1, 0, 1));
    assertThrows(
        IllegalArgumentException.class, () -> new TitansSettings(8, 2, 1, 1, true, 0, 1, 0, 1));
    assertThrows(
        IllegalArgumentException.class,
        () -> new TitansSettings(8, 2, 1, 1, true, 1, Double.NaN, 0, 1));
    assertThrows(
        IllegalArgumentException.class,
        () ->
            new MirasLayer(
                MirasLayer.Kind.YAAD,
                8,
                3,
                3,
                1,
                MemoryLayerCases.weights(MemoryLayerCases.mirasShapes())));
  }
}
