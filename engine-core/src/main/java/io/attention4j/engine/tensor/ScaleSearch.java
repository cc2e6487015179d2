package io.attention4j.engine.tensor;

/**
 * Searches the scale, and the minimum, with which a sub-block of a K-quant loses least: GGML's
 * {@code make_qkx2_quants} and {@code make_qx_quants}. Both try a row of scales near the obvious
 * one and refit each by weighted least squares. Sums are f32 in GGML's order, so that the chosen
 * codes, hence the stored bytes, equal its own.
 *
 * <p>Holds scratch memory; one thread at a time.
 */
final class ScaleSearch {
  private static final float EMPTY_MAGNITUDE = 1e-15f;
  private static final float CANDIDATE_STEP = 0.1f;
  private static final int AFFINE_CANDIDATES = 21;
  private static final int SYMMETRIC_CANDIDATES_PER_SIDE = 9;
  private static final int MAX_ELEMENTS = 32;

  private final float[] weights = new float[MAX_ELEMENTS];
  private final byte[] candidate = new byte[MAX_ELEMENTS];
  private float minimum;

  /** What {@link #affine} subtracts: x = scale code - minimum, with minimum at least 0. */
  float minimum() {
    return minimum;
  }

  /**
   * Codes 0 to {@code maxCode} with x = scale code - {@link #minimum()}. An element weighs its
   * magnitude plus the root mean square of the sub-block; candidate scales put {@code maxCode - 1}
   * to {@code maxCode + 1} steps into the range of the values.
   *
   * @return the scale; 0 if all values are equal and not positive
   */
  float affine(float[] x, int from, int elements, int maxCode, byte[] codes, int codesOffset) {
    float low = x[from];
    float high = x[from];
    float squares = 0;
    for (int i = 0; i < elements; i++) {
      float value = x[from + i];
      low = Math.min(low, value);
      high = Math.max(high, value);
      squares += value * value;
    }
    // Only non-negative minima can be stored, and zero should stay exact.
    low = Math.min(low, 0);
    if (high == low) {
      for (int i = 0; i < elements; i++) {
        codes[codesOffset + i] = 0;
      }
      minimum = -low;
      return 0;
    }

    float rootMeanSquare = (float) Math.sqrt(squares / elements);
    float sumWeight = 0;
    float sumX = 0;
    for (int i = 0; i < elements; i++) {
      weights[i] = rootMeanSquare + Math.abs(x[from + i]);
      sumWeight += weights[i];
      sumX += weights[i] * x[from + i];
    }

    float inverse = maxCode / (high - low);
    float bestScale = 1 / inverse;
    float bestError = 0;
    for (int i = 0; i < elements; i++) {
      int code = KQuantRowCodec.nearestCode(inverse * (x[from + i] - low), 0, maxCode);
      codes[codesOffset + i] = (byte) code;
      float error = bestScale * code + low - x[from + i];
      bestError += weights[i] * (error * error);
    }

    for (int step = 0; step < AFFINE_CANDIDATES; step++) {
      // Each better fit also moves the low end that later candidates start from.
      inverse = (-1f + CANDIDATE_STEP * step + maxCode) / (high - low);
      float sumCode = 0;
      float sumCodeCode = 0;
      float sumXCode = 0;
      for (int i = 0; i < elements; i++) {
        int code = KQuantRowCodec.nearestCode(inverse * (x[from + i] - low), 0, maxCode);
        candidate[i] = (byte) code;
        sumCode += weights[i] * code;
        sumCodeCode += weights[i] * code * code;
        sumXCode += weights[i] * code * x[from + i];
      }
      float determinant = sumWeight * sumCodeCode - sumCode * sumCode;
      if (!(determinant > 0)) {
        continue;
      }
      float scale = (sumWeight * sumXCode - sumX * sumCode) / determinant;
      float fittedLow = (sumCodeCode * sumX - sumCode * sumXCode) / determinant;
      if (fittedLow > 0) {
        fittedLow = 0;
        scale = sumXCode / sumCodeCode;
      }
      float totalError = 0;
      for (int i = 0; i < elements; i++) {
        float error = scale * candidate[i] + fittedLow - x[from + i];
        totalError += weights[i] * (error * error);
      }
      if (totalError < bestError) {
        System.arraycopy(candidate, 0, codes, codesOffset, elements);
        bestError = totalError;
        bestScale = scale;
        low = fittedLow;
      }
    }
    minimum = -low;
    return bestScale;
  }

  /**
   * Codes 0 to {@code 2 levels - 1} with x = scale (code - levels). An element weighs its square;
   * the value of largest magnitude gets code 0, the end with one level more, so the scale has the
   * opposite sign of that value. Candidates move it by up to 0.9 steps.
   *
   * @return the scale; 0 if every magnitude is below 1e-15; infinite or NaN if the sums overflow,
   *     which takes magnitudes above 1e11
   */
  float symmetric(float[] x, int from, int elements, int levels, byte[] codes, int codesOffset) {
    float largest = 0;
    for (int i = 0; i < elements; i++) {
      if (Math.abs(x[from + i]) > Math.abs(largest)) {
        largest = x[from + i];
      }
    }
    if (Math.abs(largest) < EMPTY_MAGNITUDE) {
      for (int i = 0; i < elements; i++) {
        codes[codesOffset + i] = 0;
      }
      return 0;
    }

    float scale = 0;
    float best = 0;
    // The unshifted scale first, then shifts -9..9 without 0: an equal later one does not win.
    for (int order = 0; order <= 2 * SYMMETRIC_CANDIDATES_PER_SIDE; order++) {
      boolean unshifted = order == 0;
      int side = SYMMETRIC_CANDIDATES_PER_SIDE;
      int shift = unshifted ? 0 : order <= side ? order - side - 1 : order - side;
      float inverse = -(levels + CANDIDATE_STEP * shift) / largest;
      float sumXCode = 0;
      float sumCodeCode = 0;
      for (int i = 0; i < elements; i++) {
        float value = x[from + i];
        int code = KQuantRowCodec.nearestCode(inverse * value, -levels, levels - 1);
        candidate[i] = (byte) (code + levels);
        float weight = value * value;
        sumXCode += weight * value * code;
        sumCodeCode += weight * code * code;
      }
      // Maximising (x.c)^2 / (c.c) minimises the error of the fitted scale (x.c) / (c.c).
      if (unshifted || sumCodeCode > 0 && sumXCode * sumXCode > best * sumCodeCode) {
        System.arraycopy(candidate, 0, codes, codesOffset, elements);
        scale = sumCodeCode == 0 ? 0 : sumXCode / sumCodeCode;
        best = scale * sumXCode;
      }
    }
    return scale;
  }
}
