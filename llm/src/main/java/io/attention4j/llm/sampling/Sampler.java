package io.attention4j.llm.sampling;

import java.util.Arrays;
import java.util.Map;
import java.util.Objects;
import java.util.stream.IntStream;

/**
 * Draws tokens from rows of logits. One sampler belongs to one generation; it owns its buffers (20
 * bytes per vocabulary entry, 4 of them only with penalties), allocates nothing per token and is
 * not thread-safe.
 *
 * <p>The order is fixed and is that of llama.cpp's default chain:
 *
 * <ol>
 *   <li>logit bias
 *   <li>repetition, then frequency and presence penalty, over the last {@code penaltyWindowTokens}
 *       accepted tokens
 *   <li>with temperature 0: the highest logit, ties to the lowest id, and nothing below acts
 *   <li>top-k
 *   <li>typical
 *   <li>top-p
 *   <li>min-p
 *   <li>temperature, softmax in double, one draw
 * </ol>
 *
 * <p>The filters see probabilities at temperature 1, renormalised over what the filters before them
 * kept; each keeps at least one token.
 *
 * <p>A seed covers the draws: equal options, equal accepted tokens and bitwise equal logits give
 * equal tokens, on any thread count and across save and restore. Each draw takes one number from
 * SplitMix64 (Steele, Lea, Flood 2014, "Fast Splittable Pseudorandom Number Generators"), whose
 * state is one long, fixed by definition and so can be saved; the generators of {@code
 * java.util.random} do not give their state away. Greedy sampling takes none.
 */
public final class Sampler {
  private final SamplingOptions options;
  private final int vocabularySize;
  private final int[] biasTokens;
  private final float[] biases;
  private final Candidates candidates;

  /** Occurrences per token in the penalty window, or null without penalties. */
  private final int[] counts;

  /** The penalty window as a ring, or null where the window is everything or nothing. */
  private final int[] ring;

  private int ringStart;
  private int ringLength;
  private long randomState;

  /**
   * A sampler that has seen no token.
   *
   * @param vocabularySize length of every row of logits, at least 1
   * @throws IllegalArgumentException if the logit bias names a token outside the vocabulary
   */
  public Sampler(SamplingOptions options, int vocabularySize) {
    this.options = Objects.requireNonNull(options, "options");
    if (vocabularySize < 1) {
      throw new IllegalArgumentException(
          "vocabularySize is " + vocabularySize + "; it must be at least 1");
    }
    this.vocabularySize = vocabularySize;
    biasTokens = new int[options.logitBias().size()];
    biases = new float[biasTokens.length];
    int i = 0;
    for (Map.Entry<Integer, Float> bias : options.logitBias().entrySet()) {
      checkToken(bias.getKey(), "the logit bias");
      biasTokens[i] = bias.getKey();
      biases[i++] = bias.getValue();
    }
    candidates = options.greedy() ? null : new Candidates(vocabularySize);
    counts = options.penalises() ? new int[vocabularySize] : null;
    int window = options.penaltyWindowTokens();
    ring = counts != null && window > 0 ? new int[window] : null;
    randomState = options.seed();
  }

  /** What this sampler was made with. */
  public SamplingOptions options() {
    return options;
  }

  /** Length of every row of logits. */
  public int vocabularySize() {
    return vocabularySize;
  }

  /**
   * Draws a token. Does not accept it: call {@link #accept} with what the generation really took.
   *
   * @param logits [vocabularySize], natural logs up to a constant; negative infinity is probability
   *     0. Changed in place by bias and penalties
   * @throws IllegalArgumentException if the row has another length
   * @throws IllegalStateException if a logit is NaN or positive infinity, or all are negative
   *     infinity
   */
  public int next(float[] logits) {
    if (logits.length != vocabularySize) {
      throw new IllegalArgumentException(
          "a row of "
              + logits.length
              + " logits was given to a sampler for a vocabulary of "
              + vocabularySize);
    }
    for (int i = 0; i < biasTokens.length; i++) {
      logits[biasTokens[i]] += biases[i];
    }
    if (counts != null && hasHistory()) {
      penalise(logits);
    }
    int best = best(logits);
    if (candidates == null) {
      return best;
    }
    if (options.topK() > 0 && options.topK() < vocabularySize) {
      candidates.topK(logits, options.topK());
    } else {
      candidates.all(logits);
    }
    return choose(logits);
  }

  /**
   * How many of the highest logits decide the next token, or 0 where others may, too: with a bias
   * or penalties, and where nothing limits the candidates.
   */
  public int candidates() {
    if (biasTokens.length > 0 || counts != null) {
      return 0;
    }
    if (options.greedy()) {
      return 1;
    }
    return options.topK() < vocabularySize ? options.topK() : 0;
  }

  /**
   * Draws the token that {@link #next(float[])} would draw, from the highest logits alone.
   *
   * @param logits [vocabularySize], of which only those of the highest are read
   * @param highest [{@link #candidates()}], the tokens with the highest logits, the highest first
   *     and equal ones by token; that of the first is finite
   */
  public int next(float[] logits, int[] highest) {
    if (candidates == null) {
      return highest[0];
    }
    candidates.of(logits, highest);
    return choose(logits);
  }

  /** What comes after top-k. */
  private int choose(float[] logits) {
    if (options.typicalP() < 1) {
      candidates.typical(logits, options.typicalP());
    }
    if (options.topP() < 1) {
      candidates.topP(logits, options.topP());
    }
    if (options.minP() > 0) {
      candidates.minP(logits, options.minP());
    }
    return candidates.draw(logits, options.temperature(), uniform());
  }

  /**
   * Adds a token to the history that the penalties see: each token of the prompt that is to count,
   * and each generated one.
   */
  public void accept(int token) {
    checkToken(token, "the history");
    if (counts == null) {
      return;
    }
    if (ring != null) {
      if (ringLength == ring.length) {
        counts[ring[ringStart]]--;
        ring[ringStart] = token;
        ringStart = ringStart + 1 == ring.length ? 0 : ringStart + 1;
      } else {
        ring[ringLength++] = token; // ringStart is 0 until the ring is full
      }
    } else {
      ringLength = 1;
    }
    if (counts[token] < Integer.MAX_VALUE) {
      counts[token]++;
    }
  }

  /** Forgets the history and starts the random numbers anew from the seed. */
  public void reset() {
    if (counts != null) {
      Arrays.fill(counts, 0);
    }
    ringStart = 0;
    ringLength = 0;
    randomState = options.seed();
  }

  /** A sampler in the same state, which continues with the same tokens; shares nothing. */
  public Sampler fork() {
    Sampler copy = new Sampler(options, vocabularySize);
    copy.restore(snapshot());
    return copy;
  }

  /** The random numbers' state and the history, for {@link #restore}. */
  public SamplerState snapshot() {
    if (counts == null) {
      return new SamplerState(randomState, new int[0], new int[0]);
    }
    if (ring != null) {
      int[] tokens = new int[ringLength];
      int[] ones = new int[ringLength];
      for (int i = 0; i < ringLength; i++) {
        tokens[i] = ring[(ringStart + i) % ring.length];
        ones[i] = 1;
      }
      return new SamplerState(randomState, tokens, ones);
    }
    int[] tokens = IntStream.range(0, vocabularySize).filter(token -> counts[token] > 0).toArray();
    int[] occurrences = new int[tokens.length];
    for (int i = 0; i < tokens.length; i++) {
      occurrences[i] = counts[tokens[i]];
    }
    return new SamplerState(randomState, tokens, occurrences);
  }

  /**
   * Takes up a snapshot of a sampler with the same options and vocabulary.
   *
   * @throws IllegalArgumentException if the snapshot has a token outside the vocabulary or more
   *     tokens than the penalty window; this sampler is then unchanged
   */
  public void restore(SamplerState state) {
    int[] tokens = state.tokens();
    int[] occurrences = state.counts();
    long total = 0;
    for (int i = 0; i < tokens.length; i++) {
      checkToken(tokens[i], "the saved history");
      total += occurrences[i];
    }
    if (counts == null && total > 0) {
      throw new IllegalArgumentException(
          "the saved history has "
              + total
              + " tokens but these options have no penalties; restore with the options it was"
              + " saved with");
    }
    if (ring != null && total > ring.length) {
      throw new IllegalArgumentException(
          "the saved history has "
              + total
              + " tokens but penaltyWindowTokens is "
              + ring.length
              + "; restore with the options it was saved with");
    }
    reset();
    for (int i = 0; i < tokens.length; i++) {
      if (ring == null) {
        counts[tokens[i]] = occurrences[i];
        ringLength = 1;
      } else {
        for (int n = 0; n < occurrences[i]; n++) {
          accept(tokens[i]);
        }
      }
    }
    randomState = state.randomState();
  }

  private boolean hasHistory() {
    return ringLength > 0;
  }

  private void penalise(float[] logits) {
    double repetition = options.repetitionPenalty();
    double frequency = options.frequencyPenalty();
    double presence = options.presencePenalty();
    for (int token = 0; token < counts.length; token++) {
      int occurrences = counts[token];
      if (occurrences > 0) {
        double logit = logits[token];
        logit = logit > 0 ? logit / repetition : logit * repetition;
        logits[token] = (float) (logit - occurrences * frequency - presence);
      }
    }
  }

  /** Index of the highest logit, the lowest of equals; checks the row on the way. */
  private static int best(float[] logits) {
    int best = 0;
    float max = Float.NEGATIVE_INFINITY;
    boolean unordered = false;
    for (int token = 0; token < logits.length; token++) {
      float logit = logits[token];
      unordered |= !(logit < Float.POSITIVE_INFINITY);
      if (logit > max) {
        max = logit;
        best = token;
      }
    }
    if (unordered) {
      throw badRow(logits);
    }
    if (max == Float.NEGATIVE_INFINITY) {
      throw new IllegalStateException(
          "all "
              + logits.length
              + " logits are -Infinity, so no token can follow; check the logit"
              + " bias and any mask on the logits");
    }
    return best;
  }

  private static IllegalStateException badRow(float[] logits) {
    int nans = 0;
    int infinities = 0;
    int first = -1;
    for (int token = logits.length - 1; token >= 0; token--) {
      if (!(logits[token] < Float.POSITIVE_INFINITY)) {
        first = token;
        if (Float.isNaN(logits[token])) {
          nans++;
        } else {
          infinities++;
        }
      }
    }
    return new IllegalStateException(
        nans
            + " of "
            + logits.length
            + " logits are NaN and "
            + infinities
            + " are +Infinity (first at token "
            + first
            + "); the forward pass went wrong, so nothing was sampled");
  }

  private double uniform() {
    randomState += 0x9e3779b97f4a7c15L;
    long z = randomState;
    z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
    z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
    z ^= z >>> 31;
    return (z >>> 11) * 0x1p-53;
  }

  private void checkToken(int token, String where) {
    if (token < 0 || token >= vocabularySize) {
      throw new IllegalArgumentException(
          where
              + " names token "
              + token
              + ", but the vocabulary has ids 0 to "
              + (vocabularySize - 1));
    }
  }
}
