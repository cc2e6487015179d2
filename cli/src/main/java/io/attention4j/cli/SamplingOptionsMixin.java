package io.attention4j.cli;

import io.attention4j.llm.sampling.SamplingOptions;
import java.util.Map;
import picocli.CommandLine.Option;

/** How the next token is chosen. */
final class SamplingOptionsMixin {
  @Option(names = "--temperature", description = "0 = greedy. Default: 0.8.")
  private Double temperature;

  @Option(names = "--top-k", description = "Keep the k likeliest tokens; 0 = off. Default: 40.")
  private Integer topK;

  @Option(
      names = "--top-p",
      description = "Keep the likeliest tokens of mass p; 1 = off. Default: 0.95.")
  private Double topP;

  @Option(
      names = "--min-p",
      description =
          "Drop tokens less likely than this share of the likeliest; 0 = off. Default: 0.05.")
  private Double minP;

  @Option(names = "--typical-p", description = "Locally typical mass; 1 = off. Default: 1.")
  private Double typicalP;

  @Option(names = "--repetition-penalty", description = "1 = off. Default: 1.")
  private Double repetitionPenalty;

  @Option(names = "--frequency-penalty", description = "0 = off. Default: 0.")
  private Double frequencyPenalty;

  @Option(names = "--presence-penalty", description = "0 = off. Default: 0.")
  private Double presencePenalty;

  @Option(
      names = "--penalty-window",
      paramLabel = "TOKENS",
      description = "Tokens that the penalties look back; 0 = off, -1 = all. Default: 64.")
  private Integer penaltyWindowTokens;

  @Option(
      names = "--logit-bias",
      paramLabel = "TOKEN=BIAS",
      split = ",",
      description = "Added to the logits of token ids.")
  private Map<Integer, Float> logitBias;

  @Option(names = "--seed", description = "Seed of the random numbers. Default: the clock.")
  private Long seed;

  /** The options, with the seed that is used when none was given. */
  SamplingOptions build(long defaultSeed) {
    SamplingOptions.Builder builder = SamplingOptions.builder();
    if (temperature != null) {
      builder.temperature(temperature);
    }
    if (topK != null) {
      builder.topK(topK);
    }
    if (topP != null) {
      builder.topP(topP);
    }
    if (minP != null) {
      builder.minP(minP);
    }
    if (typicalP != null) {
      builder.typicalP(typicalP);
    }
    if (repetitionPenalty != null) {
      builder.repetitionPenalty(repetitionPenalty);
    }
    if (frequencyPenalty != null) {
      builder.frequencyPenalty(frequencyPenalty);
    }
    if (presencePenalty != null) {
      builder.presencePenalty(presencePenalty);
    }
    if (penaltyWindowTokens != null) {
      builder.penaltyWindowTokens(penaltyWindowTokens);
    }
    if (logitBias != null) {
      builder.logitBias(logitBias);
    }
    return builder.seed(seed == null ? defaultSeed : seed).build();
  }
}
