package io.attention4j.engine.operator;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class OptionSpecTest {
  @Test
  void parsesNamesAndSettings() {
    assertEquals(new OptionSpec("softmax", Map.of()), OptionSpec.parse("softmax"));
    OptionSpec option = OptionSpec.parse("hyper:block=256;seed=7;path=/a=b:c");
    assertEquals("hyper", option.name());
    assertEquals(Map.of("block", "256", "seed", "7", "path", "/a=b:c"), option.values());
    assertEquals(option, OptionSpec.parse(option.toString()));
  }

  @Test
  void anEmptyValueIsAValue() {
    assertEquals("", OptionSpec.parse("a:b=").text("b", "default"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", ":", ":a=1", " a", "a ", "a:", "a:b", "a:=1", "a:b=1;", "a:;b=1", "a:b=1;b=2"})
  void refusesWhatIsNotTheGrammar(String text) {
    IllegalArgumentException refused =
        assertThrows(IllegalArgumentException.class, () -> OptionSpec.parse(text));
    assertTrue(refused.getMessage().contains("'" + text + "'"), refused.getMessage());
  }

  @Test
  void namesTheUnknownSettingAndTheKnownOnes() {
    OptionSpec option = OptionSpec.parse("hyper:blok=256");
    String message =
        assertThrows(IllegalArgumentException.class, () -> option.allow("block", "seed"))
            .getMessage();
    assertEquals("'hyper' has no setting 'blok'; known are [block, seed]", message);
    String none = assertThrows(IllegalArgumentException.class, option::allow).getMessage();
    assertEquals("'hyper' has no setting 'blok'; it has none", none);
    assertEquals(option, option.allow("blok"));
  }

  @Test
  void readsNumbersInTheirRange() {
    OptionSpec option = OptionSpec.parse("a:n=12;x=0.5;bad=1x;nan=NaN");
    assertEquals(12, option.integer("n", 1, 0, 100));
    assertEquals(1, option.integer("missing", 1, 0, 100));
    assertEquals(0.5, option.number("x", 1, 0, 1));
    assertEquals(1, option.number("missing", 1, 0, 1));
    assertEquals("'a' setting n=12 is outside 0..11", refusal(() -> option.integer("n", 1, 0, 11)));
    assertEquals(
        "'a' setting bad=1x is not an integer", refusal(() -> option.integer("bad", 1, 0, 9)));
    assertEquals(
        "'a' setting bad=1x is not a number", refusal(() -> option.number("bad", 1, 0, 9)));
    assertEquals(
        "'a' setting x=0.5 is outside 1.0..9.0", refusal(() -> option.number("x", 1, 1, 9)));
    assertEquals(
        "'a' setting nan=NaN is outside 0.0..9.0", refusal(() -> option.number("nan", 1, 0, 9)));
  }

  private static String refusal(Runnable action) {
    return assertThrows(IllegalArgumentException.class, action::run).getMessage();
  }
}
