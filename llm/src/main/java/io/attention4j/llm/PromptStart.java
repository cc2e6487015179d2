package io.attention4j.llm;

import java.util.Arrays;
import java.util.function.BooleanSupplier;

/**
 * How a session took a prompt, shortened and looked beyond where the model has a draft that does
 * so.
 *
 * @param reused tokens that the session held already
 * @param complete false if it was stopped on the way
 */
record PromptStart(int reused, boolean complete) {
  /**
   * Keeps the beginning that a session holds and computes the rest of a prompt.
   *
   * @param wanted candidates after it, or 0 for logits
   */
  static PromptStart run(Session session, int[] given, BooleanSupplier stop, int wanted) {
    Draft draft = session.model().draft();
    int[] prompt = given;
    int[] ahead = {};
    if (draft != null && draft.wants(given.length)) {
      Draft.Reading reading = draft.read(given, stop);
      if (reading == null) {
        return new PromptStart(0, false);
      }
      prompt = reading.prompt();
      ahead = reading.ahead();
    }
    int reused = session.reuse(prompt, wanted);
    session.remember();
    boolean looksAhead = ahead.length > 0 && reused < prompt.length - 1;
    boolean complete =
        looksAhead
            ? lookAhead(session, prompt, reused, ahead, stop, wanted)
            : session.appendChunks(prompt, reused, prompt.length, stop, wanted);
    return new PromptStart(reused, complete);
  }

  /**
   * Computes the rest of a prompt and the guesses behind it, goes back to before the prompt's last
   * token, and computes that one.
   */
  private static boolean lookAhead(
      Session session, int[] prompt, int from, int[] ahead, BooleanSupplier stop, int wanted) {
    int[] whole = Arrays.copyOf(prompt, prompt.length + ahead.length);
    System.arraycopy(ahead, 0, whole, prompt.length, ahead.length);
    boolean complete;
    session.lookahead(ahead.length);
    try {
      complete = session.appendChunks(whole, from, whole.length, stop, wanted);
    } finally {
      session.lookahead(0);
    }
    if (session.position() >= prompt.length) {
      session.truncate(prompt.length - 1);
    }
    return complete
        && session.appendChunks(prompt, session.position(), prompt.length, stop, wanted);
  }
}
