package io.attention4j.engine.reference;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ErfTest {
  /** Values of erfc to 16 digits (Abramowitz and Stegun, table 7.1; DLMF 7.23). */
  @ParameterizedTest
  @CsvSource({
    "0, 1",
    "0.1, 0.8875370839817152",
    "0.5, 0.4795001221869535",
    "1, 0.1572992070502851",
    "1.9, 0.007209570764742524",
    "2, 0.004677734981047266",
    "2.5, 0.000406952017444959",
    "4, 1.541725790028002e-8",
    "6, 2.151973671249891e-17",
    "-1, 1.842700792949715",
    "-3, 1.999977909503001"
  })
  void complementOfKnownValues(double x, double expected) {
    assertEquals(expected, Erf.complement(x), 1e-13 * expected);
  }
}
