package io.attention4j.engine.recurrent;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Values of independent NumPy code that follows each operator's published recurrence. */
class GoldenTest {
  /** The values are rounded to 12 decimals. */
  private static final double PRINTED = 1e-12;

  @ParameterizedTest
  @CsvSource({
    "linear, -0.590337928463, 0.055135961595, -0.100867025311, -0.039036495370",
    "retnet, -0.659091800085, 0.093124867481, -0.133730395151, -0.123419909684",
    "simple gla, -0.108121875553, 0.441150888065, -0.456375867051, -0.619327048044",
    "gla, -0.654250483485, 0.110646411792, -0.179970476944, -0.168547978236",
    "deltanet, -0.225287162665, -0.021219087054, -0.026785635354, -0.210874001695",
    "gdn, 0.061321695760, 0.102373508105, -0.168725616363, -0.219650815761",
    "kda, -0.007953815042, 0.103651070917, -0.116400791501, -0.187636401049",
    "gdn2, 1.114960367411, 0.140798576333, -0.159623334618, -0.007308691425",
    "rwkv7, -1.186338871674, 1.361839301305, -0.476331567085, -0.290339683037",
    "mamba2, 0.607101303016, 1.012752676476, -0.319234198560, -0.444758200931"
  })
  void theRecurrenceGivesTheSpecsValues(
      String operator, double outputSum, double last, double firstOfState, double stateSum) {
    DynamicalSystem system = Cases.all(Cases.TOKENS).get(operator);
    double[] state = system.newState();
    Rows y = Recurrence.run(system, state);
    assertEquals(outputSum, Cases.sum(y), PRINTED);
    assertEquals(last, y.at(Cases.TOKENS - 1, 0), PRINTED);
    assertEquals(firstOfState, state[0], PRINTED);
    assertEquals(stateSum, Cases.sum(new Rows(state, 1)), PRINTED);
  }

  @ParameterizedTest
  @CsvSource({
    "linear normalised, 2.434892893659, 0.014725376402",
    "based, 1.873024054953, 0.061545543328"
  })
  void theNormalisedOperatorsGiveTheSpecsValues(String operator, double sum, double last) {
    Rows outputs = Cases.run(Cases.all(Cases.TOKENS).get(operator));
    Rows y = NormalizedLinearAttention.normalize(outputs, 0);
    assertEquals(sum, Cases.sum(y), PRINTED);
    assertEquals(last, y.at(Cases.TOKENS - 1, 0), PRINTED);
  }

  @Test
  void theStrongestDecayOfRwkv7IsTheSpecsConstant() {
    assertEquals(-0.6065306597126334, Rwkv7.logDecay(100), 1e-16);
  }
}
