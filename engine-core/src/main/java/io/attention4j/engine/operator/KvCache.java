package io.attention4j.engine.operator;

import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.tensor.Tensor;
import java.io.IOException;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.util.BitSet;
import java.util.Optional;

/** Keys and values of one layer of one sequence. Not thread-safe. */
public interface KvCache extends AutoCloseable {
  /** Tokens appended (not all need be kept). */
  long length();

  /**
   * Stores rows [row, row + count) as the next tokens.
   *
   * @param k F32 [rows, kvHeads, headDim], contiguous
   * @param v F32 [rows, kvHeads, valueDim], contiguous
   * @throws IllegalStateException if there is no room; names the need and the bound; nothing is
   *     stored
   */
  void append(Tensor k, Tensor v, int row, int count);

  /**
   * Told after the attention of a step to whose tokens {@link #append} was called; a cache with a
   * policy looks at the queries and drops tokens here. Every operator that lets caches drop tokens
   * calls it once per step; a cache that counts on it refuses the next append otherwise.
   *
   * @param in the step's inputs, q and k rotated
   * @param sequence the cache's sequence in the batch of {@code in}
   * @param lse F32 [&gt;= rows, queryHeads] of all rows of the batch, or null unless the factory
   *     {@link Factory#observes observes} {@link Observes#MASS}
   */
  default void attended(LayerInputs in, int sequence, Tensor lse) {}

  /** Enters the pages of every KV head in the table. */
  void fill(PagedKv table, int sequence);

  /**
   * Told before the kernels of a step run which blocks of tokens of a KV head they will read, where
   * an operator chose some of them: a cache that keeps tokens elsewhere brings these near. An
   * operator that never calls it may read everything.
   *
   * @param kvHead KV head
   * @param blockTokens tokens per block, counted from the start of the sequence
   * @param blocks numbers of blocks; not kept
   * @return whether pages moved, so that {@link #fill} must be called again
   */
  default boolean fetch(int kvHead, int blockTokens, BitSet blocks) {
    return false;
  }

  /** An independent copy; may share pages until either changes them. */
  KvCache fork();

  /** Goes back to the first {@code length} tokens, if it still has them. */
  Truncation truncateTo(long length);

  /** Writes contents. */
  void save(WritableByteChannel channel) throws IOException;

  /** Replaces contents by what {@link #save} wrote for the same shape. */
  void load(ReadableByteChannel channel) throws IOException;

  /** Bytes held, shared pages counted in full. */
  long bytes();

  @Override
  void close();

  /** What a cache reads of a step beside its keys and values. */
  enum Observes {
    /** Nothing. */
    NOTHING,
    /** Rotated queries. */
    QUERIES,
    /** Queries and the rows' log sums of exponentials: what attention mass is computed from. */
    MASS
  }

  /** Makes caches of one kind for one layer shape. */
  interface Factory {
    /** How keys are stored. */
    KvFormat keyFormat();

    /** How values are stored. */
    KvFormat valueFormat();

    /** What its caches read in {@link KvCache#attended}. */
    default Observes observes() {
      return Observes.NOTHING;
    }

    /**
     * The attention operator that reads these caches, as an option of {@link Operators}, where the
     * cache is a method's other half; empty where any does.
     */
    default Optional<String> attention() {
      return Optional.empty();
    }

    /**
     * Tokens that a draft model should write behind a prompt of so many tokens, for these caches to
     * look ahead with ({@link io.attention4j.engine.attention.AttentionBatch#lookahead}); 0 for
     * none.
     */
    default int lookahead(int promptTokens) {
      return 0;
    }

    /** What shortens prompts by a draft model's attention; empty where nothing does. */
    default Optional<TokenRanker> ranker() {
      return Optional.empty();
    }

    /** An empty cache. */
    KvCache create(LayerShape shape);

    /** Bytes that one layer of this shape takes for so many tokens, for estimates. */
    long bytes(LayerShape shape, long tokens);

    /** The part of {@link #bytes} that must fit memory; the rest lives in files. */
    default long memoryBytes(LayerShape shape, long tokens) {
      return bytes(shape, tokens);
    }

    /** What all its caches take now, measured where memory is taken; threadsafe. */
    KvUsage usage();
  }
}
