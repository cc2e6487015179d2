package io.attention4j.sparse;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.operator.OptionSpec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Bad settings are refused with the value, the bound and the remedy. */
class SettingsTest {
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "window:tokens=0|tokens=0 is outside 1..1073741824; write tokens=1 or more",
        "window:tokens=9999999999|tokens=9999999999 is outside 1..1073741824; write tokens=10737",
        "window:tokens=many|tokens=many is not an integer",
        "window:size=3|no setting 'size'; known are [tokens]",
      })
  void aBadSettingIsRefused(String option, String sentence) {
    Exception e =
        assertThrows(
            IllegalArgumentException.class,
            () -> new SparseOperators().create(OptionSpec.parse(option)));
    assertTrue(e.getMessage().contains(sentence), e.getMessage());
  }

  @Test
  void aCausalPatternRefusesABidirectionalLayer() {
    Exception e =
        assertThrows(
            IllegalArgumentException.class,
            () -> new OperatorRun("reference", "window", new Mask.All(), "paged+f32").close());
    assertTrue(e.getMessage().contains("use longformer or bigbird"), e.getMessage());
  }
}
