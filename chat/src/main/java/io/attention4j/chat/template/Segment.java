package io.attention4j.chat.template;

import java.util.List;

/** A piece of a template, in the order of the source. */
sealed interface Segment {
  /** Line on which it begins, from 1. */
  int line();

  /** Text that goes out as it is. */
  record Text(String text, int line) implements Segment {}

  /** {@code {{ ... }}}. */
  record Output(List<Token> tokens, int line) implements Segment {}

  /** {@code {% ... %}}. */
  record Statement(List<Token> tokens, int line) implements Segment {}
}
