package io.attention4j.llm.tokenizer;

/** A part of a tokenizer.json is bad; the message is a clause that says how. */
final class MalformedException extends Exception {
  private static final long serialVersionUID = 1L;

  MalformedException(String problem) {
    super(problem);
  }
}
