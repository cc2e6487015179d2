package io.attention4j.benchmarks.decode;

/** A loaded model in some engine, for timing. */
interface TokenEngine extends AutoCloseable {
  /** Engine, for tables. */
  String name();

  /** Prepares a session of this many random tokens. */
  void fill(int depth);

  /** Seconds of decoding {@code tokens} tokens greedily behind a filled session's. */
  double decodeSeconds(int depth, int tokens);

  /** Seconds of computing a prompt of this many random tokens; needs a filled session of 0. */
  double prefillSeconds(int tokens);

  @Override
  void close();
}
