package io.attention4j.llm.golden;

import io.attention4j.llm.gguf.GgufWriter;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * A small vocabulary: the 256 bytes and a few merged pieces.
 *
 * @param model "llama" (SentencePiece) or "gpt2" (byte-level BPE)
 * @param pre name of the pre-tokenizer, for BPE
 * @param spacePrefix whether a text gets a space in front, for SentencePiece
 */
record TinyVocabulary(String model, String pre, boolean spacePrefix) {
  private static final int NORMAL = 1;
  private static final int UNKNOWN = 2;
  private static final int CONTROL = 3;
  private static final int BYTE = 6;

  private static final List<String> PIECES =
      List.of(
          "▁", "e", "t", "a", "o", "n", "i", "h", "s", "r", "d", "l", "th", "▁t", "he", "▁a", "in",
          "an", "▁s", "er", "▁th", "▁the", "at", "ed", "▁cat", "nd", "▁and", "c", "is", "ll");

  private static final List<String> MERGES =
      List.of(
          "t h", "Ġ t", "h e", "Ġ a", "i n", "a n", "Ġ s", "e r", "Ġt he", "a t", "e d", "Ġ c",
          "Ġc at", "n d", "Ġa nd", "i s", "l l", "o n", "r e", "e n");

  static TinyVocabulary sentencePiece() {
    return new TinyVocabulary("llama", "default", true);
  }

  static TinyVocabulary gemma() {
    return new TinyVocabulary("llama", "default", false);
  }

  static TinyVocabulary bpe(String pre) {
    return new TinyVocabulary("gpt2", pre, false);
  }

  int size() {
    return isBpe() ? 256 + MERGES.size() + 1 : 3 + 256 + PIECES.size();
  }

  private boolean isBpe() {
    return model.equals("gpt2");
  }

  void addTo(GgufWriter writer) {
    writer.string("tokenizer.ggml.model", model).string("tokenizer.ggml.pre", pre);
    if (isBpe()) {
      addBpe(writer);
    } else {
      addSentencePiece(writer);
    }
  }

  private static void addBpe(GgufWriter writer) {
    List<String> tokens = new ArrayList<>();
    for (int value = 0; value < 256; value++) {
      tokens.add(Character.toString(letter(value)));
    }
    MERGES.forEach(merge -> tokens.add(merge.replace(" ", "")));
    int end = tokens.size();
    tokens.add("<|endoftext|>");
    List<Integer> types = new ArrayList<>(Collections.nCopies(end, NORMAL));
    types.add(CONTROL);
    writer
        .strings("tokenizer.ggml.tokens", tokens)
        .int32s("tokenizer.ggml.token_type", ints(types))
        .strings("tokenizer.ggml.merges", MERGES)
        .uint32("tokenizer.ggml.bos_token_id", end)
        .uint32("tokenizer.ggml.eos_token_id", end)
        .bool("tokenizer.ggml.add_bos_token", false);
  }

  private void addSentencePiece(GgufWriter writer) {
    List<String> tokens = new ArrayList<>(List.of("<unk>", "<s>", "</s>"));
    List<Integer> types = new ArrayList<>(List.of(UNKNOWN, CONTROL, CONTROL));
    for (int value = 0; value < 256; value++) {
      tokens.add("<0x%02X>".formatted(value));
      types.add(BYTE);
    }
    float[] scores = new float[size()];
    for (String piece : PIECES) {
      scores[tokens.size()] = 259 - tokens.size();
      tokens.add(piece);
      types.add(NORMAL);
    }
    writer
        .strings("tokenizer.ggml.tokens", tokens)
        .float32s("tokenizer.ggml.scores", scores)
        .int32s("tokenizer.ggml.token_type", ints(types))
        .uint32("tokenizer.ggml.unknown_token_id", 0)
        .uint32("tokenizer.ggml.bos_token_id", 1)
        .uint32("tokenizer.ggml.eos_token_id", 2)
        .bool("tokenizer.ggml.add_bos_token", true)
        .bool("tokenizer.ggml.add_space_prefix", spacePrefix);
  }

  /** GPT-2's letter for a byte: itself where it prints, else the next one from U+0100. */
  private static int letter(int value) {
    int skipped = 0;
    for (int b = 0; b < value; b++) {
      skipped += prints(b) ? 0 : 1;
    }
    return prints(value) ? value : 256 + skipped;
  }

  private static boolean prints(int value) {
    return value >= '!' && value <= '~' || value >= 0xA1 && value != 0xAD;
  }

  private static int[] ints(List<Integer> list) {
    return list.stream().mapToInt(Integer::intValue).toArray();
  }
}
