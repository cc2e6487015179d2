package io.attention4j.cli;

import io.attention4j.llm.LanguageModel;
import io.attention4j.llm.Score;
import io.attention4j.llm.Session;
import io.attention4j.llm.tokenizer.Tokenizer;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * How well a model predicts a text, in overlapping windows as long as the context: each starts with
 * BOS where the model adds it, its first half is read and its second half scored, and the next one
 * starts half a window later. So every token behind the first half window is scored once, with at
 * least half a window before it.
 */
final class Perplexity {
  /**
   * What was found.
   *
   * @param tokens tokens of the text, BOS not counted
   * @param scoredTokens those whose probability was taken
   * @param scoredBytes UTF-8 bytes that these stand for; empty if the tokens do not spell the text
   *     exactly
   * @param nll sum of negative natural-log probabilities
   */
  record Result(int tokens, int scoredTokens, OptionalLong scoredBytes, double nll) {
    /** Mean negative log-likelihood, in nats per token. */
    double meanNll() {
      return nll / scoredTokens;
    }

    double perplexity() {
      return Math.exp(meanNll());
    }

    /** Where the bytes are known. */
    double bitsPerByte() {
      return nll / Math.log(2) / scoredBytes.getAsLong();
    }
  }

  private final LanguageModel model;
  private final String text;
  private final int[] tokens;
  private final int[] beginning;
  private final int windowTokens;
  private final int unscoredTokens;

  /**
   * Cuts a text into windows of the model's whole context.
   *
   * @throws BadDataException if the context is too small or the text too short to score anything
   */
  Perplexity(LanguageModel model, String text) {
    this.model = model;
    this.text = text;
    Tokenizer tokenizer = model.tokenizer();
    tokens = tokenizer.encode(text);
    OptionalInt bos = tokenizer.specialTokens().bos();
    beginning = tokenizer.addsBos() && bos.isPresent() ? new int[] {bos.getAsInt()} : new int[0];
    windowTokens = model.info().contextTokens();
    unscoredTokens = windowTokens / 2;
    if (unscoredTokens < 1) {
      throw new BadDataException("a context of 1 token has no first half; ask for at least 2");
    }
    if (windows() == 0) {
      throw new BadDataException(
          "the text has "
              + tokens.length
              + " tokens and the first "
              + firstScored()
              + " are not scored with a context of "
              + windowTokens
              + "; give a longer text or a smaller --context");
    }
  }

  int windowTokens() {
    return windowTokens;
  }

  /** Positions of each window that are read and not scored, BOS among them. */
  int unscoredTokens() {
    return unscoredTokens;
  }

  int strideTokens() {
    return windowTokens - unscoredTokens;
  }

  boolean startsWithBos() {
    return beginning.length > 0;
  }

  int windows() {
    return Math.max(0, Math.ceilDiv(tokens.length - firstScored(), strideTokens()));
  }

  /** Index in the text of the first token that is scored. */
  private int firstScored() {
    return unscoredTokens - beginning.length;
  }

  Result run(Progress progress) {
    double nll = 0;
    int scored = 0;
    try (Session session = model.newSession()) {
      for (int from = firstScored(); from < tokens.length; from += strideTokens()) {
        int to = Math.min(from + strideTokens(), tokens.length);
        int[] read = Arrays.copyOf(beginning, unscoredTokens);
        System.arraycopy(
            tokens, from - firstScored(), read, beginning.length, read.length - beginning.length);
        Score score = session.score(read, Arrays.copyOfRange(tokens, from, to));
        nll -= score.total();
        scored += to - from;
        progress.step();
      }
    }
    return new Result(tokens.length, scored, scoredBytes(), nll);
  }

  /**
   * Known only if the tokens' bytes, one after the other, are the text's; a SentencePiece
   * vocabulary puts one space before it.
   */
  private OptionalLong scoredBytes() {
    ByteArrayOutputStream spelled = new ByteArrayOutputStream();
    int before = 0;
    for (int i = 0; i < tokens.length; i++) {
      if (i == firstScored()) {
        before = spelled.size();
      }
      spelled.writeBytes(model.tokenizer().pieceBytes(tokens[i]));
    }
    byte[] all = spelled.toByteArray();
    boolean exact =
        Arrays.equals(all, text.getBytes(StandardCharsets.UTF_8))
            || firstScored() > 0
                && Arrays.equals(all, (" " + text).getBytes(StandardCharsets.UTF_8));
    return exact ? OptionalLong.of(all.length - before) : OptionalLong.empty();
  }
}
