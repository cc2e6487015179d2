package io.attention4j.llm;

import io.attention4j.llm.sampling.LogProbs.TokenLogProb;
import java.util.List;

/**
 * A generated token and the text that it completes.
 *
 * @param token id; -1 for a last piece that only brings text which had been held back
 * @param text whole characters, often empty: bytes of a character may come in several tokens, and
 *     what may become a stop string is held back
 * @param logProb natural-log probability of the token before temperature, filters and penalties;
 *     NaN if the request does not ask for it
 * @param top the most probable tokens in its place, as many as the request asks for
 */
public record Piece(int token, String text, double logProb, List<TokenLogProb> top) {
  /** Copies the list. */
  public Piece {
    top = List.copyOf(top);
  }
}
