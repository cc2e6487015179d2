package io.attention4j.llm.format;

import io.attention4j.engine.tensor.Tensor;
import java.util.Optional;
import java.util.Set;

/**
 * Weights by name. Every tensor is a read-only row-major view of a mapped file, outermost dimension
 * first (a linear layer's weight is {@code [outputs, inputs]}), and dies with {@link #close}: using
 * it later throws {@link IllegalStateException}.
 *
 * <p>Safe to read from many threads. Close once no thread reads any more.
 */
public interface TensorSource extends AutoCloseable {
  /** Names of all tensors, in the order of the files; unmodifiable. */
  Set<String> names();

  /**
   * The tensor with this name, or empty if there is none.
   *
   * @throws ModelFormatException if it is there but has an element type that this library cannot
   *     read; names the type
   */
  Optional<Tensor> find(String name);

  /**
   * The tensor with this name.
   *
   * @throws ModelFormatException if there is none or its type cannot be read
   */
  Tensor tensor(String name);

  /** Unmaps the files. Idempotent. */
  @Override
  void close();
}
