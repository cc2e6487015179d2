package io.attention4j.llm.tokenizer;

/**
 * Turns token ids into text one at a time, for streaming.
 *
 * <p>A character whose bytes are spread over several tokens appears with the token that completes
 * it; bytes that cannot become a character appear as U+FFFD. Special tokens give no text. The
 * results of {@link #accept} followed by {@link #finish} concatenate to {@link
 * Tokenizer#decode(int[])} of the same ids. One decoder serves one sequence and one thread; it
 * stays usable after its tokenizer is closed.
 */
public final class IncrementalDecoder {
  private final Vocabulary vocabulary;
  private final Utf8Assembler utf8 = new Utf8Assembler();
  private final StringBuilder text = new StringBuilder();
  private boolean stripSpace;

  IncrementalDecoder(Vocabulary vocabulary) {
    this.vocabulary = vocabulary;
    this.stripSpace = vocabulary.stripsLeadingSpace();
  }

  /**
   * The text that this token completes.
   *
   * @param id a token id; one at or above the vocabulary's size gives no text, because models pad
   *     their output layer beyond it
   * @return whole characters; often empty
   * @throws IllegalArgumentException if {@code id} is negative
   */
  public String accept(int id) {
    append(id);
    return take();
  }

  /** The rest at the end of the sequence: U+FFFD for an incomplete character, otherwise empty. */
  public String finish() {
    utf8.finish(text);
    return take();
  }

  /** Takes ids in without giving their text out, except for a character left incomplete. */
  void skip(int[] ids) {
    for (int id : ids) {
      append(id);
    }
    text.setLength(0);
  }

  String decode(int[] ids) {
    for (int id : ids) {
      append(id);
    }
    return finish();
  }

  private void append(int id) {
    byte[] piece = vocabulary.piece(id);
    if (piece.length == 0 || vocabulary.special().get(id)) {
      return;
    }
    int from = stripSpace && piece[0] == ' ' ? 1 : 0;
    stripSpace = false;
    utf8.accept(piece, from, text);
  }

  private String take() {
    if (text.isEmpty()) {
      return "";
    }
    String taken = text.toString();
    text.setLength(0);
    return taken;
  }
}
