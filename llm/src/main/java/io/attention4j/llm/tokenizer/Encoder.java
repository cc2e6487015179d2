package io.attention4j.llm.tokenizer;

/** Text to ids without special tokens around it. Safe for several threads. */
interface Encoder extends AutoCloseable {
  /** The ids of a text; a lone surrogate counts as U+FFFD. */
  int[] encode(String text);

  @Override
  void close();
}
