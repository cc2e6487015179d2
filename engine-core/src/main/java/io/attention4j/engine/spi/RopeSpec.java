package io.attention4j.engine.spi;

/**
 * Rotary position embedding (Su et al. 2021, arXiv 2104.09864) of the first {@code rotaryDim}
 * elements of a head.
 *
 * @param headDim elements of a head
 * @param rotaryDim rotated elements, even, at most headDim
 * @param layout which elements form a pair
 */
public record RopeSpec(int headDim, int rotaryDim, Layout layout) {
  /** Which elements form a pair. */
  public enum Layout {
    /** (2i, 2i + 1), as GGUF llama files store them. */
    INTERLEAVED,
    /** (i, i + rotaryDim / 2), the Hugging Face and NeoX order. */
    HALF_SPLIT
  }

  /** Checks the ranges. */
  public RopeSpec {
    if (rotaryDim < 0 || rotaryDim > headDim || rotaryDim % 2 != 0) {
      throw new IllegalArgumentException(
          "rotaryDim " + rotaryDim + " must be even and at most headDim " + headDim);
    }
  }
}
