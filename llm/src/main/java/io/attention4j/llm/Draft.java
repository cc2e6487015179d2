package io.attention4j.llm;

import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.KvCacheContext;
import io.attention4j.engine.operator.TokenRanker;
import io.attention4j.llm.loading.CacheFactories;
import io.attention4j.llm.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.function.BooleanSupplier;

/**
 * A small model that reads prompts before the large one: it says which of their tokens stay, or
 * what is likely to follow. Threads take turns.
 */
final class Draft implements AutoCloseable {
  private final LanguageModel model;
  private final KvCache.Factory wishes;

  /** Of the wishes, or null. */
  private final TokenRanker ranker;

  /** Watches the draft, or null where nothing shortens prompts. */
  private final TokenRanker.Ranking ranking;

  /**
   * What a prompt becomes.
   *
   * @param prompt its tokens that stay
   * @param ahead tokens that the draft thinks will follow, for the caches to look ahead with
   */
  record Reading(int[] prompt, int[] ahead) {}

  private Draft(
      LanguageModel model,
      KvCache.Factory wishes,
      TokenRanker ranker,
      TokenRanker.Ranking ranking) {
    this.model = model;
    this.wishes = wishes;
    this.ranker = ranker;
    this.ranking = ranking;
  }

  /**
   * Loads the draft that the caches ask for, or gives null where they ask for none.
   *
   * @throws IllegalArgumentException if they ask and the options name none, or the other way round,
   *     or if its tokens are not those of the model
   */
  static Draft load(Path target, LoadOptions options, KvCache.Factory wishes, Tokenizer tokenizer)
      throws IOException {
    TokenRanker ranker = wishes.ranker().orElse(null);
    if (ranker == null && wishes.lookahead(Integer.MAX_VALUE) == 0) {
      if (options.draft() != null) {
        throw new IllegalArgumentException(
            "KV cache '"
                + options.kvCache()
                + "' makes no use of the draft model "
                + options.draft()
                + "; leave it out, or choose speckv or specpc");
      }
      return null;
    }
    if (options.draft() == null) {
      throw new IllegalArgumentException(
          "KV cache '"
              + options.kvCache()
              + "' ranks tokens by a draft model; name a small one with the tokens of "
              + target.getFileName()
              + " (--draft-model, LoadOptions.draft)");
    }
    requireSameTokens(target, options.draft(), tokenizer);
    LoadOptions own =
        LoadOptions.builder()
            .contextTokens(options.contextTokens())
            .threads(options.threads())
            .kernels(options.kernels())
            .maxBatchRows(options.maxBatchRows())
            .build();
    TokenRanker.Ranking[] ranking = new TokenRanker.Ranking[1];
    LanguageModel model =
        LanguageModel.load(options.draft(), own, context -> caches(ranker, ranking, own, context));
    return new Draft(model, wishes, ranker, ranking[0]);
  }

  private static KvCache.Factory caches(
      TokenRanker ranker,
      TokenRanker.Ranking[] ranking,
      LoadOptions options,
      KvCacheContext context) {
    if (ranker == null) {
      return CacheFactories.create(options.kvCache(), context);
    }
    ranking[0] = ranker.open(context);
    return ranking[0].caches();
  }

  private static void requireSameTokens(Path target, Path draft, Tokenizer expected)
      throws IOException {
    try (Tokenizer tokenizer = LanguageModel.openTokenizer(draft)) {
      int size = expected.vocabularySize();
      boolean same = tokenizer.vocabularySize() == size;
      for (int id = 0; same && id < size; id++) {
        same = Arrays.equals(tokenizer.pieceBytes(id), expected.pieceBytes(id));
      }
      if (!same) {
        throw new IllegalArgumentException(
            "the draft model "
                + draft
                + " has other tokens than "
                + target
                + "; take a smaller model of the same family");
      }
    }
  }

  /** Longest prompt; what remains of it must fit the model's own context too. */
  int promptTokens(int targetContext) {
    return ranker == null ? targetContext : Math.max(targetContext, model.info().contextTokens());
  }

  /** Whether a prompt of so many tokens is to be read. */
  boolean wants(int promptTokens) {
    return shortens(promptTokens) || wishes.lookahead(promptTokens) > 0;
  }

  private boolean shortens(int promptTokens) {
    return ranker != null && ranker.budget(promptTokens) < promptTokens;
  }

  /**
   * Reads a prompt, which {@link #wants} says is worth it; null if stopped on the way.
   *
   * @throws IllegalArgumentException if the draft's context is too small
   */
  synchronized Reading read(int[] prompt, BooleanSupplier stop) {
    boolean shorten = shortens(prompt.length);
    int kept = shorten ? ranker.budget(prompt.length) : prompt.length;
    int lookahead = wishes.lookahead(kept);
    int writes = Math.max(lookahead, shorten ? ranker.lookahead() : 0);
    requireRoom(prompt.length + writes - 1);
    if (ranking != null) {
      ranking.begin(prompt.length);
    }
    int[] ahead = new int[writes];
    int count = 0;
    try (Session session = model.newSession()) {
      if (!session.appendChunks(prompt, 0, prompt.length, stop, 0)) {
        return null;
      }
      float[] logits = new float[model.info().config().sizes().vocabulary()];
      while (count < writes && !stop.getAsBoolean()) {
        session.copyLogits(logits);
        int token = best(logits);
        if (model.tokenizer().isEndOfGeneration(token)) {
          break;
        }
        ahead[count++] = token;
        if (count < writes) {
          session.appendToken(token, 0);
        }
      }
    }
    int[] stay = shorten ? pick(prompt, ranking.kept()) : prompt;
    return new Reading(stay, Arrays.copyOf(ahead, Math.min(count, lookahead)));
  }

  private void requireRoom(int tokens) {
    if (tokens > model.info().contextTokens()) {
      throw new IllegalArgumentException(
          "the draft model "
              + model.info().path()
              + " must read and write "
              + tokens
              + " tokens but its context holds "
              + model.info().contextTokens()
              + "; shorten the prompt or load with a larger context");
    }
  }

  private static int[] pick(int[] tokens, int[] indices) {
    return Arrays.stream(indices).map(index -> tokens[index]).toArray();
  }

  private static int best(float[] logits) {
    int best = 0;
    for (int i = 1; i < logits.length; i++) {
      best = logits[i] > logits[best] ? i : best;
    }
    return best;
  }

  @Override
  public void close() {
    model.close();
  }
}
