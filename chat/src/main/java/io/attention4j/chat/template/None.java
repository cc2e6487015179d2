package io.attention4j.chat.template;

/** Python's None, distinct from {@link Undefined}; Java's null is no template value. */
enum None {
  NONE
}
