package io.attention4j.llm.architecture;

import java.util.Set;

/** Qwen 3, the dense ones: each head of q and k is normalised, nothing is biased. */
final class Qwen3 implements Architecture {
  @Override
  public String id() {
    return "qwen3";
  }

  @Override
  public Set<String> modelTypes() {
    return Set.of("qwen3");
  }

  @Override
  public ModelConfig config(Settings settings) {
    return Qwen2.config(id(), settings, false, true);
  }
}
