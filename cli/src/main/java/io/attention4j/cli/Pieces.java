package io.attention4j.cli;

import io.attention4j.llm.Generation;
import io.attention4j.llm.GenerationResult;
import io.attention4j.llm.Piece;
import java.io.PrintWriter;

/** Prints a generation while it runs. */
final class Pieces {
  private Pieces() {}

  /**
   * Prints every piece as it comes.
   *
   * @param endLine whether a line end goes behind a text that has none
   */
  static GenerationResult print(Generation generation, PrintWriter out, boolean endLine) {
    boolean endsLine = true;
    for (Piece piece : generation) {
      if (!piece.text().isEmpty()) {
        out.print(piece.text());
        out.flush();
        endsLine = piece.text().endsWith("\n");
      }
    }
    if (endLine && !endsLine) {
      out.println();
      out.flush();
    }
    return generation.result();
  }
}
