package io.attention4j.engine.operator;

/**
 * Says which tokens of a prompt stay, by what a small draft model with the same vocabulary attends
 * to. It knows no model: who loads the draft gives its layers the {@link Ranking#caches} that watch
 * them.
 */
public interface TokenRanker {
  /**
   * Starts to watch a draft model.
   *
   * @throws IllegalArgumentException if the draft does not suit; says why
   */
  Ranking open(KvCacheContext draft);

  /** Tokens that stay of a prompt of so many; as many if nothing is to be done. */
  int budget(int promptTokens);

  /**
   * Tokens that the draft writes behind a prompt, at least 1; the rows of all but the last go
   * through it and count.
   */
  int lookahead();

  /** One draft model, watched. One prompt at a time. */
  interface Ranking {
    /** Caches for the draft model, which watch its attention. */
    KvCache.Factory caches();

    /** Forgets what it saw, before a prompt of so many tokens goes through the draft. */
    void begin(int promptTokens);

    /** The tokens that stay, by index, ascending. */
    int[] kept();
  }
}
