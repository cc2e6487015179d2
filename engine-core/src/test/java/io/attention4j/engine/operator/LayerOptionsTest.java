package io.attention4j.engine.operator;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LayerOptionsTest {
  private static List<String> layers(String text, int count) {
    return LayerOptions.parse(text).forLayers(count).stream().map(OptionSpec::toString).toList();
  }

  @Test
  void oneOptionIsForEveryLayer() {
    assertEquals(List.of("a:b=1", "a:b=1", "a:b=1"), layers("a:b=1", 3));
    assertEquals(List.of(), layers("a", 0));
  }

  @Test
  void rangesAreInclusiveAndMayBeOpen() {
    assertEquals(List.of("a", "a", "b:c=2", "b:c=2"), layers("0-1=a,2-=b:c=2", 4));
    assertEquals(List.of("b", "a", "b"), layers("1=a,0=b,2=b", 3));
    assertEquals("0-1=a,2-=b", LayerOptions.parse("0-1=a,2-=b").toString());
  }

  @Test
  void everyLayerIsCoveredExactlyOnce() {
    String gap =
        assertThrows(IllegalArgumentException.class, () -> layers("0-1=a,3-=b", 4)).getMessage();
    assertEquals("'0-1=a,3-=b' does not cover layer 2 of 4", gap);
    String twice =
        assertThrows(IllegalArgumentException.class, () -> layers("0-2=a,2-=b", 4)).getMessage();
    assertEquals("'0-2=a,2-=b' covers layer 2 twice", twice);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "0-1", "0-1=", "0-1=a,", "0--1=a", "0-1=a,b", "0-9999999=a", "1-x=a", "0=a:"})
  void refusesWhatIsNotTheGrammar(String text) {
    IllegalArgumentException refused =
        assertThrows(IllegalArgumentException.class, () -> LayerOptions.parse(text));
    assertTrue(refused.getMessage().contains("'"), refused.getMessage());
  }
}
