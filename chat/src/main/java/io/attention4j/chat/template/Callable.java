package io.attention4j.chat.template;

/** A function or macro. */
interface Callable {
  Object call(Arguments arguments);
}
