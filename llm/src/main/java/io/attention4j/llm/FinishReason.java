package io.attention4j.llm;

/** Why a generation ended. */
public enum FinishReason {
  /** The model gave an end-of-generation token, or one of the request's stop tokens. */
  STOP_TOKEN,
  /** A stop string appeared. */
  STOP_STRING,
  /** The request's number of tokens was reached. */
  LENGTH,
  /** The context is full. */
  CONTEXT_FULL,
  /** {@link Generation#cancel} was called, or the thread was interrupted. */
  CANCELLED
}
