package io.attention4j.llm.tokenizer;

import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/** Metadata from a map, for tests. */
record MapMetadata(String source, Map<String, Object> values) implements TokenizerMetadata {

  @Override
  public Optional<String> string(String key) {
    return Optional.ofNullable((String) values.get(key));
  }

  @Override
  public OptionalLong integer(String key) {
    Number number = (Number) values.get(key);
    return number == null ? OptionalLong.empty() : OptionalLong.of(number.longValue());
  }

  @Override
  public Optional<Boolean> flag(String key) {
    return Optional.ofNullable((Boolean) values.get(key));
  }

  @Override
  public Optional<String[]> strings(String key) {
    return Optional.ofNullable((String[]) values.get(key));
  }

  @Override
  public Optional<int[]> ints(String key) {
    return Optional.ofNullable((int[]) values.get(key));
  }

  @Override
  public Optional<float[]> floats(String key) {
    return Optional.ofNullable((float[]) values.get(key));
  }

  /** The same metadata with one key set, or removed if the value is null. */
  MapMetadata with(String key, Object value) {
    Map<String, Object> changed = new HashMap<>(values);
    if (value == null) {
      changed.remove(key);
    } else {
      changed.put(key, value);
    }
    return new MapMetadata(source, changed);
  }
}
