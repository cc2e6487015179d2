package io.attention4j.llm.sampling;

import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * Watches streamed text for stop strings. Text that might still turn out to be the beginning of a
 * stop string is held back; a stop string itself is never given out, nor anything after it.
 *
 * <p>The stop that is complete first wins, whatever the pieces the text comes in; of two that end
 * at the same character the longer one. One matcher belongs to one generation; not thread-safe.
 */
public final class StopStrings {
  private final List<String> stops;

  /** Per stop string, the failure function of Knuth, Morris and Pratt. */
  private final int[][] failure;

  /** Per stop string, how many of its characters the text ends with. */
  private final int[] matchedChars;

  private final StringBuilder held = new StringBuilder();
  private String matched;

  /**
   * A matcher that has seen no text.
   *
   * @param stops none of them empty; an empty list stops nothing
   */
  public StopStrings(List<String> stops) {
    this.stops = List.copyOf(stops);
    failure = new int[this.stops.size()][];
    matchedChars = new int[this.stops.size()];
    for (int i = 0; i < failure.length; i++) {
      if (this.stops.get(i).isEmpty()) {
        throw new IllegalArgumentException(
            "stop string " + i + " is empty, which would stop before any text; leave it out");
      }
      failure[i] = failureOf(this.stops.get(i));
    }
  }

  private static int[] failureOf(String stop) {
    int[] failure = new int[stop.length()];
    for (int i = 1, k = 0; i < stop.length(); i++) {
      while (k > 0 && stop.charAt(i) != stop.charAt(k)) {
        k = failure[k - 1];
      }
      if (stop.charAt(i) == stop.charAt(k)) {
        k++;
      }
      failure[i] = k;
    }
    return failure;
  }

  /**
   * Takes the next piece of text and returns what may be given out now, possibly nothing.
   *
   * @throws IllegalStateException if a stop string was already found
   */
  public String accept(String piece) {
    Objects.requireNonNull(piece, "piece");
    if (matched != null) {
      throw new IllegalStateException("text was added after the stop string \"" + matched + '"');
    }
    for (int i = 0; i < piece.length(); i++) {
      held.append(piece.charAt(i));
      String stop = advance(piece.charAt(i));
      if (stop != null) {
        matched = stop;
        held.setLength(held.length() - stop.length());
        return release(held.length());
      }
    }
    int keep = 0;
    for (int chars : matchedChars) {
      keep = Math.max(keep, chars);
    }
    return release(held.length() - keep);
  }

  /** The longest stop string that this character completes, or null. */
  private String advance(char c) {
    String complete = null;
    for (int i = 0; i < matchedChars.length; i++) {
      String stop = stops.get(i);
      int k = matchedChars[i];
      while (k > 0 && stop.charAt(k) != c) {
        k = failure[i][k - 1];
      }
      if (stop.charAt(k) == c) {
        k++;
      }
      matchedChars[i] = k;
      if (k == stop.length() && (complete == null || stop.length() > complete.length())) {
        complete = stop;
      }
    }
    return complete;
  }

  private String release(int chars) {
    String text = held.substring(0, chars);
    held.delete(0, chars);
    return text;
  }

  /** The stop string that was found, if one was. */
  public Optional<String> matched() {
    return Optional.ofNullable(matched);
  }

  /** The text still held back; call when the generation ends for another reason. */
  public String finish() {
    Arrays.fill(matchedChars, 0);
    return release(held.length());
  }
}
