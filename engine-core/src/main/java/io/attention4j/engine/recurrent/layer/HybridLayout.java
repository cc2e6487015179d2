package io.attention4j.engine.recurrent.layer;

/**
 * Which layers of a hybrid keep standard attention, the others being of a simpler kind
 * ("Deconstructing Attention", arXiv 2510.11602, which measures 24 layers; other depths divide
 * alike).
 */
public enum HybridLayout {
  /** Every second, from the second on: the default, half of them. */
  EVEN,
  /** Every second, from the first on. */
  ODD,
  /** The lower half: the top is simple. */
  TOP,
  /** The lowest and the highest quarter: the middle is simple. */
  MIDDLE,
  /** The upper half: the bottom is simple. */
  BOTTOM,
  /** Every fourth, from the fourth on. */
  QUARTER,
  /** The first alone. */
  FIRST,
  /** The last alone. */
  LAST,
  /** The first and the last. */
  BILATERAL;

  /**
   * Whether a layer is a standard one.
   *
   * @param layer from 0, below layers
   */
  public boolean isStandard(int layer, int layers) {
    if (layer < 0 || layer >= layers) {
      throw new IllegalArgumentException("layer " + layer + " is outside 0.." + (layers - 1));
    }
    return switch (this) {
      case EVEN -> layer % 2 == 1;
      case ODD -> layer % 2 == 0;
      case TOP -> layer < layers / 2;
      case MIDDLE -> layer < layers / 4 || layer >= layers - layers / 4;
      case BOTTOM -> layer >= layers / 2;
      case QUARTER -> layer % 4 == 3;
      case FIRST -> layer == 0;
      case LAST -> layer == layers - 1;
      case BILATERAL -> layer == 0 || layer == layers - 1;
    };
  }
}
