package io.attention4j.benchmarks.quality;

import io.attention4j.llm.LanguageModel;
import io.attention4j.llm.Session;
import io.attention4j.llm.sampling.LogProbs;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.OptionalInt;
import java.util.SplittableRandom;

/**
 * Perplexity and passkey recall of a loaded model with the KV cache it was loaded with. A context
 * is read as a prompt, after which the cache's policy decides; what follows is not known to it
 * then.
 */
public final class KvQuality {
  private static final long SEED = 6;
  private static final List<String> NAMES =
      List.of("Mercutio", "Gloucester", "Prospero", "Wickham", "Jane", "Tybalt", "Lydia", "Ariel");
  private static final int DIGITS = 5;
  private static final int DISTRACTORS = 3;

  private final LanguageModel model;
  private final int[] tokens;
  private final int[] beginning;

  /** Measures with this text, which should be one that the model has not seen. */
  public KvQuality(LanguageModel model, String text) {
    this.model = model;
    tokens = model.tokenizer().encode(text);
    OptionalInt bos = model.tokenizer().specialTokens().bos();
    beginning =
        model.tokenizer().addsBos() && bos.isPresent() ? new int[] {bos.getAsInt()} : new int[0];
  }

  /**
   * Perplexity and memory.
   *
   * @param perplexity per token of the scored halves
   * @param bytes held by a session right after a prompt of half a window, mean of the windows
   */
  public record TextResult(double perplexity, double bytes) {}

  /**
   * Reads the first half of each window as a prompt and scores the second half token by token, each
   * decoded before the next is scored.
   *
   * @throws IllegalArgumentException if the text is too short for the windows
   */
  public TextResult perplexity(int windowTokens, int windows) {
    int half = windowTokens / 2;
    int read = half - beginning.length;
    if ((long) windows * windowTokens > tokens.length) {
      throw new IllegalArgumentException(
          windows
              + " windows of "
              + windowTokens
              + " tokens need a longer text than "
              + tokens.length
              + " tokens");
    }
    double nll = 0;
    double bytes = 0;
    try (Session session = model.newSession()) {
      for (int window = 0; window < windows; window++) {
        int from = window * (tokens.length / windows);
        session.rewind(0);
        session.appendPrompt(joined(beginning, Arrays.copyOfRange(tokens, from, from + read)));
        bytes += session.bytes();
        for (int i = from + read; i < from + read + half; i++) {
          nll -= LogProbs.of(session.logits(), tokens[i]);
          session.append(tokens[i]);
        }
      }
    }
    return new TextResult(Math.exp(nll / ((double) windows * half)), bytes / windows);
  }

  /**
   * Share of passkeys given back whole: names and their keys at random depths of a text, then a
   * question that the cache's policy has not seen when it decided.
   *
   * @param contextTokens about so many tokens before the question
   */
  public double passkeys(int contextTokens, int prompts) {
    SplittableRandom random = new SplittableRandom(SEED);
    int found = 0;
    try (Session session = model.newSession()) {
      for (int i = 0; i < prompts; i++) {
        if (recalls(session, random, contextTokens)) {
          found++;
        }
      }
    }
    return (double) found / prompts;
  }

  private boolean recalls(Session session, SplittableRandom random, int contextTokens) {
    List<String> names = new ArrayList<>(NAMES);
    List<String> sentences = new ArrayList<>();
    String name = null;
    String key = null;
    for (int i = 0; i <= DISTRACTORS; i++) {
      name = names.remove(random.nextInt(names.size()));
      key = String.format(Locale.ROOT, "%0" + DIGITS + "d", random.nextInt(100_000));
      sentences.add(" The passkey of " + name + " is " + key + ".");
    }
    int filler = contextTokens;
    for (String sentence : sentences) {
      filler -= model.tokenizer().encode(sentence).length;
    }
    int from = random.nextInt(tokens.length - filler);
    int[] context = beginning;
    int at = from;
    // The asked key is the last made; its depth is as random as the others'.
    List<String> order = new ArrayList<>(sentences);
    order.add(random.nextInt(order.size()), order.removeLast());
    for (int i = 0; i < order.size(); i++) {
      int left = from + filler - at;
      int gap = random.nextInt(Math.max(1, 2 * left / (order.size() - i + 1)));
      context = joined(context, Arrays.copyOfRange(tokens, at, at + gap));
      at += gap;
      context = joined(context, model.tokenizer().encode(order.get(i)));
    }
    context = joined(context, Arrays.copyOfRange(tokens, at, from + filler));
    session.rewind(0);
    session.appendPrompt(context);
    session.append(model.tokenizer().encode(" The passkey of " + name + " is"));
    for (int token : model.tokenizer().encode(" " + key)) {
      if (best(session.logits()) != token) {
        return false;
      }
      session.append(token);
    }
    return true;
  }

  private static int best(float[] logits) {
    int best = 0;
    for (int i = 1; i < logits.length; i++) {
      best = logits[i] > logits[best] ? i : best;
    }
    return best;
  }

  private static int[] joined(int[] a, int[] b) {
    int[] both = Arrays.copyOf(a, a.length + b.length);
    System.arraycopy(b, 0, both, a.length, b.length);
    return both;
  }
}
