package io.attention4j.kvcache.policy;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;

/** What a {@link KvPolicy} remembers of one layer of one sequence. Not thread-safe. */
public interface PolicyState {
  /**
   * Told of every step after its attention, before {@link #decide}.
   *
   * @param rows the step's queries
   * @param entries the cache, the step's tokens at the end of every head
   */
  default void observe(ObservedRows rows, KvEntries entries) {}

  /**
   * Marks what to drop. Called with all entries of all heads, so that heads may share a budget.
   *
   * @param promptEnds whether the step that ended was the last of a prompt, else one of decoding
   */
  void decide(KvEntries entries, boolean promptEnds, Decision out);

  /**
   * Goes back to the first tokens, of which nothing was dropped since they were the last; false if
   * what was observed later cannot be taken back. {@code length} 0 always succeeds.
   */
  default boolean rewind(long length) {
    return true;
  }

  /** An independent copy. */
  PolicyState fork();

  /** Writes what it remembers. */
  default void save(DataOutput out) throws IOException {}

  /**
   * Reads what {@link #save} wrote for the same settings and layer.
   *
   * @throws IOException if the bytes end early or make no sense
   */
  default void load(DataInput in) throws IOException {}

  /** Bytes it remembers, the entries' scores not counted. */
  default long bytes() {
    return 0;
  }
}
