package io.attention4j.cli;

import io.attention4j.llm.ModelInfo;
import io.attention4j.llm.sampling.SamplingOptions;
import java.util.Map;
import picocli.CommandLine.Option;

/** How the next token is chosen. */
final class SamplingOptionsMixin {
  @Option(
      names = "--temperature",
      paramLabel = "T",
      description = "Divides the logits; 0 = greedy, the same for any --threads. Default: 0.8.")
  private Double temperature;

  @Option(
      names = "--top-k",
      paramLabel = "K",
      description = "Keep the K likeliest tokens; 0 = off. Default: 40.")
  private Integer topK;

  @Option(
      names = "--top-p",
      paramLabel = "P",
      description = "Keep the likeliest tokens of mass P; 1 = off. Default: 0.95.")
  private Double topP;

  @Option(
      names = "--min-p",
      paramLabel = "P",
      description =
          "Drop tokens less likely than this share of the likeliest; 0 = off. Default: 0.05.")
  private Double minP;

  @Option(
      names = "--typical-p",
      paramLabel = "P",
      description = "Keep locally typical tokens of mass P; 1 = off. Default: 1.")
  private Double typicalP;

  @Option(
      names = "--repetition-penalty",
      paramLabel = "X",
      description = "Makes tokens seen before less likely by this factor; 1 = off. Default: 1.")
  private Double repetitionPenalty;

  @Option(
      names = "--frequency-penalty",
      paramLabel = "X",
      description = "Taken off a logit for each time its token was seen; 0 = off. Default: 0.")
  private Double frequencyPenalty;

  @Option(
      names = "--presence-penalty",
      paramLabel = "X",
      description = "Taken off the logit of a token that was seen; 0 = off. Default: 0.")
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
      description = "Added to the logits of token ids (see tokenize).")
  private Map<Integer, Float> logitBias;

  @Option(
      names = "--seed",
      paramLabel = "N",
      description =
          "Seed of the random numbers; the same seed gives the same text. Default: the"
              + " clock, and 1 for the demo model's own prompt.")
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

  /**
   * Checks what only a loaded model can tell.
   *
   * @throws IllegalArgumentException if the logit bias names a token that the model has not
   */
  void check(ModelInfo model) {
    if (logitBias == null) {
      return;
    }
    int vocabulary = model.config().sizes().vocabulary();
    for (int token : logitBias.keySet()) {
      if (token >= vocabulary) {
        throw new IllegalArgumentException(
            "--logit-bias names token "
                + token
                + "; the tokens of "
                + model.name()
                + " are 0 to "
                + (vocabulary - 1)
                + " (see tokenize)");
      }
    }
  }
}
