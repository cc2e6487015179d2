package io.attention4j.llm.tiny;

import java.util.List;

/**
 * A model small enough for plain loops, with the peculiarities of its architecture.
 *
 * @param architecture GGUF id
 * @param name of this variant; its weights are drawn from it
 * @param layers transformer blocks
 * @param headDim elements of a head
 * @param rotaryDim rotated elements of a head
 * @param window sliding window in tokens, 0 for none
 * @param ropeScaling "none", "linear", "yarn", "llama3" or "longrope"
 */
public record TinySpec(
    String architecture,
    String name,
    int layers,
    int headDim,
    int rotaryDim,
    int window,
    String ropeScaling) {
  public static final int VOCABULARY = 272;
  public static final int CONTEXT = 64;
  public static final int DIM = 32;
  public static final int HEADS = 4;
  public static final int KV_HEADS = 2;
  public static final int FEED_FORWARD = 40;
  public static final double EPSILON = 1e-5;
  public static final double BASE = 10_000;

  /** Context before scaling. */
  public static final int ORIGINAL_CONTEXT = 16;

  public static final double FACTOR = 4;

  /** All of them; one per architecture, and the ways to stretch a rotation. */
  public static List<TinySpec> all() {
    return List.of(
        new TinySpec("llama", "llama", 2, 8, 8, 0, "none"),
        new TinySpec("llama", "llama-linear", 2, 8, 8, 0, "linear"),
        new TinySpec("llama", "llama-yarn", 2, 16, 16, 0, "yarn"),
        new TinySpec("llama", "llama-llama3", 2, 16, 16, 0, "llama3"),
        new TinySpec("qwen2", "qwen2", 2, 8, 8, 0, "none"),
        new TinySpec("qwen3", "qwen3", 2, 16, 16, 0, "none"),
        new TinySpec("gemma2", "gemma2", 3, 16, 16, 8, "none"),
        new TinySpec("gemma3", "gemma3", 7, 16, 16, 8, "linear"),
        new TinySpec("phi3", "phi3", 2, 8, 6, 0, "none"),
        new TinySpec("phi3", "phi3-longrope", 2, 8, 6, 0, "longrope"),
        new TinySpec("gpt2", "gpt2", 2, 8, 0, 0, "none"));
  }

  public static TinySpec of(String name) {
    return all().stream().filter(spec -> spec.name.equals(name)).findFirst().orElseThrow();
  }

  public int kvHeads() {
    return isGpt2() ? HEADS : KV_HEADS;
  }

  public boolean isGpt2() {
    return architecture.equals("gpt2");
  }

  public boolean isGemma() {
    return architecture.startsWith("gemma");
  }

  public boolean isPhi3() {
    return architecture.equals("phi3");
  }

  /** Whether q and k heads have norms. */
  public boolean normedQk() {
    return architecture.equals("qwen3") || architecture.equals("gemma3");
  }

  /** Whether the file has an output matrix of its own. */
  public boolean untied() {
    return architecture.equals("llama") || isPhi3();
  }

  public boolean sliding(int layer) {
    return switch (architecture) {
      case "gemma2" -> layer % 2 == 0;
      case "gemma3" -> (layer + 1) % 6 != 0;
      default -> false;
    };
  }

  @Override
  public String toString() {
    return name;
  }
}
