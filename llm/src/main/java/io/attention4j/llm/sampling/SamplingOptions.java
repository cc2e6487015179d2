package io.attention4j.llm.sampling;

import java.util.Map;
import java.util.Objects;

/**
 * How a token is drawn from a row of logits. Immutable; build one with {@link #builder()}, or
 * change one with {@link #toBuilder()}. {@link Sampler} documents the order in which the options
 * act.
 *
 * @param temperature divides the logits; 0 (greedy) takes the highest logit and draws nothing.
 *     Finite, at least 0
 * @param topK keeps the {@code topK} highest logits; 0 is off. At least 0
 * @param topP keeps the smallest set of most probable tokens whose probabilities reach {@code
 *     topP}; 1 is off. In (0, 1]. Holtzman et al. 2019, "The Curious Case of Neural Text
 *     Degeneration", section 3.1
 * @param minP drops tokens less probable than {@code minP} times the most probable one; 0 is off.
 *     In [0, 1]. Nguyen et al. 2024, "Turning Up the Heat", section 3
 * @param typicalP keeps the tokens whose surprise is nearest to the entropy until their
 *     probabilities exceed {@code typicalP}; 1 is off. In (0, 1]. Meister et al. 2022, "Locally
 *     Typical Sampling", section 4
 * @param repetitionPenalty a token in the penalty window has its positive logit divided, its other
 *     logit multiplied by this; 1 is off. Finite, above 0. Keskar et al. 2019, "CTRL", section 4.1
 * @param frequencyPenalty subtracted from a token's logit once per occurrence in the penalty
 *     window; 0 is off. Finite
 * @param presencePenalty subtracted once from the logit of a token that occurs in the penalty
 *     window; 0 is off. Finite
 * @param penaltyWindowTokens how many of the last accepted tokens the penalties see; 0 is none, -1
 *     is all
 * @param logitBias added to the logits of these tokens, before all else; negative infinity bans a
 *     token. No NaN, no positive infinity
 * @param seed of the random numbers; every value is a good seed
 */
public record SamplingOptions(
    double temperature,
    int topK,
    double topP,
    double minP,
    double typicalP,
    double repetitionPenalty,
    double frequencyPenalty,
    double presencePenalty,
    int penaltyWindowTokens,
    Map<Integer, Float> logitBias,
    long seed) {

  /** The largest penalty window; longer histories are {@code penaltyWindowTokens = -1}. */
  public static final int MAX_PENALTY_WINDOW_TOKENS = 1 << 24;

  /** Checks every value; see the parameters for the ranges. */
  public SamplingOptions {
    check(
        temperature >= 0 && temperature < Double.POSITIVE_INFINITY,
        "temperature",
        temperature,
        "a finite number of at least 0 (0 is greedy)");
    check(topK >= 0, "topK", topK, "at least 0 (0 is off)");
    check(topP > 0 && topP <= 1, "topP", topP, "above 0 and at most 1 (1 is off)");
    check(minP >= 0 && minP <= 1, "minP", minP, "between 0 and 1 (0 is off)");
    check(typicalP > 0 && typicalP <= 1, "typicalP", typicalP, "above 0 and at most 1 (1 is off)");
    check(
        repetitionPenalty > 0 && repetitionPenalty < Double.POSITIVE_INFINITY,
        "repetitionPenalty",
        repetitionPenalty,
        "a finite number above 0 (1 is off)");
    check(
        Double.isFinite(frequencyPenalty),
        "frequencyPenalty",
        frequencyPenalty,
        "a finite number (0 is off)");
    check(
        Double.isFinite(presencePenalty),
        "presencePenalty",
        presencePenalty,
        "a finite number (0 is off)");
    check(
        penaltyWindowTokens >= -1 && penaltyWindowTokens <= MAX_PENALTY_WINDOW_TOKENS,
        "penaltyWindowTokens",
        penaltyWindowTokens,
        "between 0 and " + MAX_PENALTY_WINDOW_TOKENS + ", or -1 for all tokens");
    logitBias = Map.copyOf(Objects.requireNonNull(logitBias, "logitBias"));
    logitBias.forEach(
        (token, bias) -> {
          check(token >= 0, "logitBias token", token, "at least 0");
          check(
              bias < Float.POSITIVE_INFINITY,
              "logitBias of token " + token,
              bias,
              "a number below infinity (-Infinity bans the token)");
        });
  }

  private static void check(boolean ok, String name, Object value, String rule) {
    if (!ok) {
      throw new IllegalArgumentException(name + " is " + value + "; it must be " + rule);
    }
  }

  /** Whether the token is the highest logit, drawn without random numbers. */
  public boolean greedy() {
    return temperature == 0;
  }

  /** Whether any penalty can change a logit. */
  public boolean penalises() {
    return penaltyWindowTokens != 0
        && (repetitionPenalty != 1 || frequencyPenalty != 0 || presencePenalty != 0);
  }

  /**
   * Starts from the defaults, which are those of llama.cpp: temperature 0.8, topK 40, topP 0.95,
   * minP 0.05, penalties off with a window of 64 tokens; seed 0.
   */
  public static Builder builder() {
    return new Builder();
  }

  /** The highest logit every time, all else off. */
  public static SamplingOptions ofGreedy() {
    return builder().temperature(0).topK(0).topP(1).minP(0).build();
  }

  /** A builder that starts from these options. */
  public Builder toBuilder() {
    return new Builder()
        .temperature(temperature)
        .topK(topK)
        .topP(topP)
        .minP(minP)
        .typicalP(typicalP)
        .repetitionPenalty(repetitionPenalty)
        .frequencyPenalty(frequencyPenalty)
        .presencePenalty(presencePenalty)
        .penaltyWindowTokens(penaltyWindowTokens)
        .logitBias(logitBias)
        .seed(seed);
  }

  /** Collects the options by name; {@link #build()} checks them. */
  public static final class Builder {
    private double temperature = 0.8;
    private int topK = 40;
    private double topP = 0.95;
    private double minP = 0.05;
    private double typicalP = 1;
    private double repetitionPenalty = 1;
    private double frequencyPenalty;
    private double presencePenalty;
    private int penaltyWindowTokens = 64;
    private Map<Integer, Float> logitBias = Map.of();
    private long seed;

    private Builder() {}

    /** See {@link SamplingOptions#temperature()}. */
    public Builder temperature(double value) {
      temperature = value;
      return this;
    }

    /** See {@link SamplingOptions#topK()}. */
    public Builder topK(int value) {
      topK = value;
      return this;
    }

    /** See {@link SamplingOptions#topP()}. */
    public Builder topP(double value) {
      topP = value;
      return this;
    }

    /** See {@link SamplingOptions#minP()}. */
    public Builder minP(double value) {
      minP = value;
      return this;
    }

    /** See {@link SamplingOptions#typicalP()}. */
    public Builder typicalP(double value) {
      typicalP = value;
      return this;
    }

    /** See {@link SamplingOptions#repetitionPenalty()}. */
    public Builder repetitionPenalty(double value) {
      repetitionPenalty = value;
      return this;
    }

    /** See {@link SamplingOptions#frequencyPenalty()}. */
    public Builder frequencyPenalty(double value) {
      frequencyPenalty = value;
      return this;
    }

    /** See {@link SamplingOptions#presencePenalty()}. */
    public Builder presencePenalty(double value) {
      presencePenalty = value;
      return this;
    }

    /** See {@link SamplingOptions#penaltyWindowTokens()}. */
    public Builder penaltyWindowTokens(int value) {
      penaltyWindowTokens = value;
      return this;
    }

    /** See {@link SamplingOptions#logitBias()}. */
    public Builder logitBias(Map<Integer, Float> value) {
      logitBias = value;
      return this;
    }

    /** See {@link SamplingOptions#seed()}. */
    public Builder seed(long value) {
      seed = value;
      return this;
    }

    /**
     * The options.
     *
     * @throws IllegalArgumentException if a value is out of range; names the value and the range
     */
    public SamplingOptions build() {
      return new SamplingOptions(
          temperature,
          topK,
          topP,
          minP,
          typicalP,
          repetitionPenalty,
          frequencyPenalty,
          presencePenalty,
          penaltyWindowTokens,
          logitBias,
          seed);
    }
  }
}
