package io.attention4j.kvcache.policy;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;

/**
 * The rows that vote at the next decision: those of the prompt under way, and those of decoding
 * where the policy decides there too. Nothing is remembered from the end of a prompt on where it
 * does not, so that a session can go back to that point.
 */
final class VotingRows {
  private final QueryWindow window;
  private final boolean whileDecoding;

  VotingRows(QueryWindow window, boolean whileDecoding) {
    this.window = window;
    this.whileDecoding = whileDecoding;
  }

  void observe(ObservedRows step) {
    boolean prompt = step.rows() > 1 || step.continued() || window.size() > 0;
    if (whileDecoding || prompt) {
      window.record(step);
    }
  }

  /**
   * The rows that vote, at most half of what a head may hold, since their own entries stay; null if
   * there are none.
   */
  QueryWindow voting(int tokens) {
    window.limit(Math.max(1, tokens / 2));
    return window.size() == 0 ? null : window;
  }

  void decided() {
    if (!whileDecoding) {
      window.clear();
    }
  }

  boolean rewind(long length) {
    return window.size() == 0 || window.newest() < length;
  }

  VotingRows copy() {
    return new VotingRows(window.copy(), whileDecoding);
  }

  void save(DataOutput out) throws IOException {
    window.save(out);
  }

  void load(DataInput in) throws IOException {
    window.load(in);
  }

  long bytes() {
    return window.bytes();
  }
}
