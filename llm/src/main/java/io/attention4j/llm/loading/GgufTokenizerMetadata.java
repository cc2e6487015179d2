package io.attention4j.llm.loading;

import io.attention4j.llm.gguf.GgufMetadata;
import io.attention4j.llm.tokenizer.TokenizerMetadata;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalLong;

/** GGUF metadata as a tokenizer reads it. */
record GgufTokenizerMetadata(Path path, GgufMetadata metadata) implements TokenizerMetadata {
  @Override
  public String source() {
    return path.toString();
  }

  @Override
  public Optional<String> string(String key) {
    return metadata.contains(key) ? Optional.of(metadata.string(key)) : Optional.empty();
  }

  @Override
  public OptionalLong integer(String key) {
    return metadata.contains(key) ? OptionalLong.of(metadata.int64(key)) : OptionalLong.empty();
  }

  @Override
  public Optional<Boolean> flag(String key) {
    return metadata.contains(key) ? Optional.of(metadata.bool(key)) : Optional.empty();
  }

  @Override
  public Optional<String[]> strings(String key) {
    return metadata.contains(key)
        ? Optional.of(metadata.strings(key).toArray(new String[0]))
        : Optional.empty();
  }

  @Override
  public Optional<int[]> ints(String key) {
    return metadata.contains(key) ? Optional.of(metadata.int32s(key)) : Optional.empty();
  }

  @Override
  public Optional<float[]> floats(String key) {
    return metadata.contains(key) ? Optional.of(metadata.float32s(key)) : Optional.empty();
  }
}
