package io.attention4j.llm.architecture;

import java.util.List;
import java.util.Optional;
import java.util.TreeSet;

/** The architectures this library runs. */
public final class Architectures {
  private static final List<Architecture> ALL =
      List.of(
          new Llama(),
          new Qwen2(),
          new Qwen3(),
          new Gemma2(),
          new Gemma3(),
          new Phi3(),
          new Gpt2(),
          new Rwkv7(),
          new Mamba2());

  private Architectures() {}

  /** All of them. */
  public static List<Architecture> all() {
    return ALL;
  }

  /** The one that a format calls by this name. */
  public static Optional<Architecture> find(Settings.Format format, String name) {
    return ALL.stream()
        .filter(
            architecture ->
                format == Settings.Format.GGUF
                    ? architecture.id().equals(name)
                    : architecture.modelTypes().contains(name))
        .findFirst();
  }

  /** Names that {@link #find} knows, sorted. */
  public static List<String> names(Settings.Format format) {
    TreeSet<String> names = new TreeSet<>();
    for (Architecture architecture : ALL) {
      if (format == Settings.Format.GGUF) {
        names.add(architecture.id());
      } else {
        names.addAll(architecture.modelTypes());
      }
    }
    return List.copyOf(names);
  }
}
