package io.attention4j.llm;

import io.attention4j.llm.sampling.SamplingOptions;
import java.util.List;
import java.util.Objects;
import java.util.Set;

/**
 * What to generate. Immutable; build one with {@link #builder()}.
 *
 * <p>The prompt is the <em>whole</em> context: what the session already holds of it is not computed
 * again, and what it holds beyond the common beginning is dropped. With {@link #append()} the
 * prompt continues what the session holds instead.
 *
 * @param prompt text, or null if tokens are given
 * @param promptTokens ids, or null if a text is given; taken as they are
 * @param append whether the prompt continues the session; a text then gets no BOS unless the
 *     session is empty
 * @param maxTokens most tokens to generate; 0 = until the context is full
 * @param sampling how tokens are drawn
 * @param stopStrings texts that end the generation and are not given out
 * @param stopTokens ids that end it, besides the model's own
 * @param ignoreEnd whether the model's own end-of-generation tokens are ignored (benchmarks)
 * @param penalisePrompt whether the penalties also see the prompt
 * @param logProbs -1 = none; 0 = of the tokens generated; n = also of the n most probable
 */
public record GenerationRequest(
    String prompt,
    List<Integer> promptTokens,
    boolean append,
    int maxTokens,
    SamplingOptions sampling,
    List<String> stopStrings,
    Set<Integer> stopTokens,
    boolean ignoreEnd,
    boolean penalisePrompt,
    int logProbs) {
  private static final int MAX_LOG_PROBS = 1000;

  /** Checks the ranges and copies the collections. */
  public GenerationRequest {
    if ((prompt == null) == (promptTokens == null)) {
      throw new IllegalArgumentException("give a prompt as text or as tokens, one of the two");
    }
    promptTokens = promptTokens == null ? null : List.copyOf(promptTokens);
    stopStrings = List.copyOf(stopStrings);
    if (stopStrings.contains("")) {
      throw new IllegalArgumentException(
          "an empty stop string would stop before any text; leave it out");
    }
    stopTokens = Set.copyOf(stopTokens);
    Objects.requireNonNull(sampling, "sampling");
    if (maxTokens < 0) {
      throw new IllegalArgumentException(
          "maxTokens is " + maxTokens + "; it must be at least 0 (0 = until the context is full)");
    }
    if (logProbs < -1 || logProbs > MAX_LOG_PROBS) {
      throw new IllegalArgumentException(
          "logProbs is " + logProbs + "; it must be -1 (none) to " + MAX_LOG_PROBS);
    }
  }

  /** A text to continue, all else by default. */
  public static GenerationRequest of(String prompt) {
    return builder().prompt(prompt).build();
  }

  /** Starts from the defaults: see {@link SamplingOptions#builder()}, until the context is full. */
  public static Builder builder() {
    return new Builder();
  }

  /** Collects a request by name; {@link #build} checks it. */
  public static final class Builder {
    private String prompt;
    private List<Integer> promptTokens;
    private boolean append;
    private int maxTokens;
    private SamplingOptions sampling = SamplingOptions.builder().build();
    private List<String> stopStrings = List.of();
    private Set<Integer> stopTokens = Set.of();
    private boolean ignoreEnd;
    private boolean penalisePrompt = true;
    private int logProbs = -1;

    private Builder() {}

    /** See {@link GenerationRequest#prompt()}. */
    public Builder prompt(String value) {
      prompt = value;
      return this;
    }

    /** See {@link GenerationRequest#promptTokens()}. */
    public Builder promptTokens(List<Integer> value) {
      promptTokens = value;
      return this;
    }

    /** See {@link GenerationRequest#append()}. */
    public Builder append(boolean value) {
      append = value;
      return this;
    }

    /** See {@link GenerationRequest#maxTokens()}. */
    public Builder maxTokens(int value) {
      maxTokens = value;
      return this;
    }

    /** See {@link GenerationRequest#sampling()}. */
    public Builder sampling(SamplingOptions value) {
      sampling = value;
      return this;
    }

    /** See {@link GenerationRequest#stopStrings()}. */
    public Builder stopStrings(List<String> value) {
      stopStrings = value;
      return this;
    }

    /** See {@link GenerationRequest#stopTokens()}. */
    public Builder stopTokens(Set<Integer> value) {
      stopTokens = value;
      return this;
    }

    /** See {@link GenerationRequest#ignoreEnd()}. */
    public Builder ignoreEnd(boolean value) {
      ignoreEnd = value;
      return this;
    }

    /** See {@link GenerationRequest#penalisePrompt()}. */
    public Builder penalisePrompt(boolean value) {
      penalisePrompt = value;
      return this;
    }

    /** See {@link GenerationRequest#logProbs()}. */
    public Builder logProbs(int value) {
      logProbs = value;
      return this;
    }

    /**
     * The request.
     *
     * @throws IllegalArgumentException if a value is out of range; names it and the range
     */
    public GenerationRequest build() {
      return new GenerationRequest(
          prompt,
          promptTokens,
          append,
          maxTokens,
          sampling,
          stopStrings,
          stopTokens,
          ignoreEnd,
          penalisePrompt,
          logProbs);
    }
  }
}
