package io.attention4j.engine.recurrent;

/**
 * The quasi-LSTM of the Dynamical Systems Framework (arXiv 2405.15731, section 3.3): an LSTM whose
 * gates see the input only, h = f * h + i * x, y = o * h, element by element. In the framework the
 * state expansion is 1 and Lambda = diag(f), B = diag(i), C = diag(o).
 */
public final class QuasiLstm {
  private QuasiLstm() {}

  /**
   * The system with f = sigmoid(forget).
   *
   * @param x [tokens, hidden]
   * @param forget forget gate before its sigmoid, [tokens, hidden]
   * @param input input gate before its sigmoid, [tokens, hidden]
   * @param output output gate before its sigmoid, [tokens, hidden]
   */
  public static DynamicalSystem system(Rows x, Rows forget, Rows input, Rows output) {
    return gated(x, forget.map(Gates::sigmoid), input, output);
  }

  /**
   * The system with the decay of S6 instead, f = sigmoid(-forget)^power.
   *
   * @param power learned, at least 0; negative values of the weights count as 0
   */
  public static DynamicalSystem reversed(
      Rows x, Rows forget, Rows input, Rows output, double power) {
    double exponent = Math.max(power, 0);
    return gated(x, forget.map(z -> Gates.reversedSigmoid(z, exponent)), input, output);
  }

  private static DynamicalSystem gated(Rows x, Rows decay, Rows input, Rows output) {
    return new DynamicalSystem(
        1,
        Coefficient.perColumn(decay),
        null,
        Coefficient.perColumn(input.map(Gates::sigmoid)),
        x,
        Coefficient.perColumn(output.map(Gates::sigmoid)),
        null);
  }
}
