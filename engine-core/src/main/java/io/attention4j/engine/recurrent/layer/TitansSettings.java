package io.attention4j.engine.recurrent.layer;

/**
 * What fixes a Titans layer besides its weights.
 *
 * @param width elements of a hidden state, divisible by heads
 * @param heads of the memory and of the attention
 * @param depth matrices of a head's memory, at least 1; 2 or more recommended
 * @param expansion hidden elements of the memory per element of a head
 * @param residual whether the memory is x + LN(M(x))
 * @param chunk tokens whose gradients are taken at the same weights: a parameter of the model
 * @param maxStep what the step's sigmoid is multiplied by [R]
 * @param persistentTokens learned vectors before the sequence; 0 for none
 * @param attentionTokens MAC: tokens of a segment; MAG and MAL: the window, the token itself
 *     included; not used by the memory alone
 */
public record TitansSettings(
    int width,
    int heads,
    int depth,
    int expansion,
    boolean residual,
    int chunk,
    double maxStep,
    int persistentTokens,
    int attentionTokens) {
  /** Checks the ranges. */
  public TitansSettings {
    if (heads < 1 || width < 1 || width % heads != 0) {
      throw new IllegalArgumentException(
          "a width of " + width + " is not divisible by " + heads + " heads");
    }
    if (depth < 1 || expansion < 1 || chunk < 1 || persistentTokens < 0 || attentionTokens < 1) {
      throw new IllegalArgumentException(
          "depth "
              + depth
              + ", expansion "
              + expansion
              + ", chunk "
              + chunk
              + " and attentionTokens "
              + attentionTokens
              + " must be at least 1 and persistentTokens "
              + persistentTokens
              + " at least 0");
    }
    if (!(maxStep > 0 && maxStep < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException("maxStep " + maxStep + " must be finite and above 0");
    }
  }

  /** Elements of a head. */
  public int headDim() {
    return width / heads;
  }
}
