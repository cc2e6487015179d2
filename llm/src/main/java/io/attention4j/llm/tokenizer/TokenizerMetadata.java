package io.attention4j.llm.tokenizer;

import java.util.Optional;
import java.util.OptionalLong;

/**
 * The metadata of a GGUF file, as far as a tokenizer reads it.
 *
 * <p>Each accessor is empty when the key is absent and throws a {@link RuntimeException} whose
 * message names the key when the value has another type. Arrays may be shared with the reader; a
 * tokenizer does not write to them.
 *
 * @see <a href="https://github.com/ggml-org/ggml/blob/master/docs/gguf.md">GGUF: tokenizer keys</a>
 */
public interface TokenizerMetadata {

  /** The path of the file, for error messages. */
  String source();

  /** A string value. */
  Optional<String> string(String key);

  /** An integer value of any width. */
  OptionalLong integer(String key);

  /** A boolean value. */
  Optional<Boolean> flag(String key);

  /** An array of strings. */
  Optional<String[]> strings(String key);

  /** An array of 32-bit integers. */
  Optional<int[]> ints(String key);

  /** An array of 32-bit floats. */
  Optional<float[]> floats(String key);
}
