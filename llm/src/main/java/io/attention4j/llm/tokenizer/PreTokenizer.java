package io.attention4j.llm.tokenizer;

import static io.attention4j.llm.format.ModelFormatException.quote;

import io.attention4j.llm.format.ModelFormatException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * How a byte-level BPE vocabulary splits text before merging, by the name that GGUF files carry in
 * {@code tokenizer.ggml.pre}.
 *
 * @param patterns regular expressions applied in turn, each to the parts that the one before left;
 *     matches and the text between matches become parts
 * @param ignoreMerges whether a part that is a whole token is taken without merging
 * @param addsBos whether BOS precedes a text when the file does not say
 */
record PreTokenizer(List<String> patterns, boolean ignoreMerges, boolean addsBos) {

  private static final String GPT2 =
      "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)";
  private static final String CONTRACTION = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
  private static final String SPACES = "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  private static final String SYMBOLS = "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*";
  private static final String LLAMA3 =
      CONTRACTION + "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}" + SYMBOLS + SPACES;
  private static final String QWEN2 =
      CONTRACTION + "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}" + SYMBOLS + SPACES;
  private static final String QWEN35 =
      CONTRACTION
          + "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*"
          + SPACES;
  private static final String UPPER = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
  private static final String LOWER = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";
  private static final String BEFORE_WORD = "[^\\r\\n\\p{L}\\p{N}]?";

  private static final Map<String, PreTokenizer> BY_NAME = new LinkedHashMap<>();

  static {
    PreTokenizer gpt2 = plain(GPT2);
    PreTokenizer digitsApart = plain("\\p{N}", GPT2);
    PreTokenizer llama3 = new PreTokenizer(List.of(LLAMA3), true, true);
    PreTokenizer qwen2 = plain(QWEN2);
    name(plain("[\\p{P}\\$\\+<=>\\^~\\|]+", GPT2, "\\p{N}+", "[0-9][0-9][0-9]"), "default");
    name(gpt2, "gpt-2", "phi-2", "mpt", "olmo", "jais", "exaone4", "a.x-4.0", "mellum", "trillion");
    name(llama3, "llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "lfm2", "pixtral");
    name(plain(LLAMA3), "dbrx", "smaug-bpe", "glm4", "chatglm-bpe");
    name(qwen2, "qwen2", "deepseek-r1-qwen", "stablelm2", "megrez", "hunyuan", "grok-2");
    name(plain(QWEN35), "qwen35");
    name(
        digitsApart,
        "smollm",
        "starcoder",
        "refact",
        "command-r",
        "codeshell",
        "exaone",
        "minerva-7b");
    name(plain("[\\p{P}\\$\\+<=>\\^~\\|`]+", GPT2, "[0-9][0-9][0-9]"), "falcon");
    name(
        plain(
            "[\\r\\n]",
            "\\s?\\p{L}+",
            "\\s?\\p{P}+",
            "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+",
            "\\p{N}"),
        "deepseek-coder");
    name(
        plain(
            "\\p{N}{1,3}",
            "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
            "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"
                + "|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*"
                + SPACES),
        "deepseek-v3",
        "hunyuan-dense");
    name(
        new PreTokenizer(
            List.of(
                BEFORE_WORD
                    + UPPER
                    + "*"
                    + LOWER
                    + "+"
                    + "|"
                    + BEFORE_WORD
                    + UPPER
                    + "+"
                    + LOWER
                    + "*"
                    + "|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*"
                    + SPACES),
            true,
            true),
        "tekken");
    name(
        plain(
            BEFORE_WORD
                + UPPER
                + "*"
                + LOWER
                + "+"
                + CONTRACTION
                + "?"
                + "|"
                + BEFORE_WORD
                + UPPER
                + "+"
                + LOWER
                + "*"
                + CONTRACTION
                + "?"
                + "|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*"
                + SPACES),
        "gpt-4o",
        "llama4");
  }

  private static PreTokenizer plain(String... patterns) {
    return new PreTokenizer(List.of(patterns), false, false);
  }

  private static void name(PreTokenizer preTokenizer, String... names) {
    for (String name : names) {
      BY_NAME.put(name, preTokenizer);
    }
  }

  /**
   * Looks a name up.
   *
   * @throws ModelFormatException if it is unknown; lists the known ones
   */
  static PreTokenizer named(String name, Path file) {
    PreTokenizer found = BY_NAME.get(name);
    if (found == null) {
      throw new ModelFormatException(
          file,
          "the pre-tokenizer " + quote(name) + " (tokenizer.ggml.pre) is unknown",
          "known ones are "
              + String.join(", ", BY_NAME.keySet())
              + ", and a Hugging Face folder of the model, whose tokenizer.json spells its rule"
              + " out, works too");
    }
    return found;
  }
}
