package io.attention4j.engine.recurrent.layer;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.attention4j.engine.recurrent.Cases;
import io.attention4j.engine.recurrent.Rows;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What every layer owes: any split, causality, states that copy. */
class LayersTest {
  private static final int TOKENS = 13;
  private static final Rows HIDDEN = LayerCases.tokens(TOKENS);
  private static final Rows EMBEDDINGS = Cases.wave(0.85, TOKENS, LayerCases.WIDTH);
  private static final Map<String, SequenceLayer> LAYERS = LayerCases.all();

  static Stream<String> layers() {
    return LAYERS.keySet().stream();
  }

  private static Rows run(SequenceLayer layer, int from, int to, SequenceState state) {
    return layer.run(HIDDEN.slice(from, to), EMBEDDINGS.slice(from, to), state);
  }

  @ParameterizedTest
  @MethodSource("layers")
  void everySplitGivesTheWhole(String name) {
    SequenceLayer layer = LAYERS.get(name);
    Rows whole = run(layer, 0, TOKENS, layer.newState());
    for (int split = 0; split <= TOKENS; split++) {
      SequenceState state = layer.newState();
      Cases.assertClose(whole.slice(0, split), run(layer, 0, split, state), name);
      SequenceState copy = layer.newState();
      copy.set(state);
      Cases.assertClose(whole.slice(split, TOKENS), run(layer, split, TOKENS, state), name);
      Cases.assertClose(whole.slice(split, TOKENS), run(layer, split, TOKENS, copy), "a copy");
      assertEquals(TOKENS, state.tokens());
    }
  }

  @ParameterizedTest
  @MethodSource("layers")
  void tokenByTokenIsTheWholeAndLaterTokensChangeNothing(String name) {
    SequenceLayer layer = LAYERS.get(name);
    Rows whole = run(layer, 0, TOKENS, layer.newState());
    SequenceState state = layer.newState();
    for (int t = 0; t < TOKENS; t++) {
      Cases.assertClose(whole.slice(t, t + 1), run(layer, t, t + 1, state), name + " token " + t);
    }
  }
}
