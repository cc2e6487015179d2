package io.attention4j.kvcache.policy;

import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.TokenRanker;
import java.util.Optional;

/**
 * Which tokens each KV head keeps. Immutable and shared by all layers and sequences.
 *
 * <p>A policy decides when a prompt is whole, so that the prompt itself is computed densely, and
 * then while decoding as often as {@link #interval} says. Tokens it drops are freed.
 */
public interface KvPolicy {
  /** Name in options. */
  String id();

  /** What its states read of a step beside keys and values. */
  KvCache.Observes observes();

  /**
   * Entries of all KV heads of a layer together right after a prompt of so many tokens, summaries
   * included: the promise that measured bytes are held against.
   */
  long entries(LayerShape shape, long tokens);

  /** Decoded tokens from one decision to the next; 0 decides at the end of prompts only. */
  int interval();

  /** See {@link KvCache.Factory#lookahead}. */
  default int lookahead(int promptTokens) {
    return 0;
  }

  /** See {@link KvCache.Factory#ranker}. */
  default Optional<TokenRanker> ranker() {
    return Optional.empty();
  }

  /**
   * What it remembers of a new sequence in one layer.
   *
   * @throws IllegalArgumentException if the layer does not suit; says why and what to do
   */
  PolicyState open(LayerShape shape);
}
