package io.attention4j.llm.tokenizer;

import static io.attention4j.llm.format.ModelFormatException.quote;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;

/**
 * Checks the parts of a tokenizer.json that the native library runs. The library ends the JVM on
 * some malformed ones, so only steps that language models use pass, and only with parameters that
 * it survives.
 */
final class EncodingSteps {
  private static final List<String> NORMALIZERS =
      List.of(
          "ByteLevel",
          "Lowercase",
          "NFC",
          "NFD",
          "NFKC",
          "NFKD",
          "Prepend",
          "Replace",
          "Sequence",
          "Strip",
          "StripAccents");
  private static final List<String> PRE_TOKENIZERS =
      List.of(
          "ByteLevel",
          "Digits",
          "Metaspace",
          "Punctuation",
          "Sequence",
          "Split",
          "Whitespace",
          "WhitespaceSplit");

  private EncodingSteps() {}

  /** Accepts a whole tokenizer.json or says what is wrong with its normalizer to model. */
  static void check(JsonNode tokenizer) throws MalformedException {
    model(tokenizer.path("model"));
    step("normalizer", NORMALIZERS, tokenizer.path("normalizer"));
    step("pre_tokenizer", PRE_TOKENIZERS, tokenizer.path("pre_tokenizer"));
  }

  private static void model(JsonNode model) throws MalformedException {
    // Files of early versions carry no type; those are BPE.
    String type = model.path("type").asText("BPE");
    if (!type.equals("BPE") && !type.equals("Unigram")) {
      throw new MalformedException(
          "its model is " + quote(type) + " where this version knows BPE and Unigram");
    }
    if (type.equals("Unigram") && !model.path("unk_id").isInt()) {
      throw new MalformedException("its Unigram model has no unk_id for characters it lacks");
    }
    if (model.path("dropout").asDouble(0) > 0) {
      throw new MalformedException("its merges drop out at random (model.dropout)");
    }
    for (String affix : List.of("continuing_subword_prefix", "end_of_word_suffix")) {
      if (!model.path(affix).asText("").isEmpty()) {
        throw new MalformedException(
            "its model uses " + affix + ", which byte-level and SentencePiece BPE do not");
      }
    }
  }

  private static void step(String part, List<String> known, JsonNode step)
      throws MalformedException {
    if (step.isNull() || step.isMissingNode()) {
      return;
    }
    String type = step.path("type").asText("none");
    if (!known.contains(type)) {
      throw new MalformedException(
          "its "
              + part
              + " has the step "
              + quote(type)
              + " where this version knows "
              + String.join(", ", known));
    }
    JsonNode pattern = step.path("pattern");
    String literal = pattern.path("String").asText("");
    switch (type) {
      // A pattern that matches between characters breaks the library's offsets.
      case "Replace" -> nonEmpty(part, "a Replace step without a literal pattern", literal);
      case "Split" ->
          nonEmpty(
              part, "a Split step without a pattern", literal + pattern.path("Regex").asText(""));
      case "Prepend" ->
          nonEmpty(part, "a Prepend step of nothing", step.path("prepend").asText(""));
      default -> {}
    }
    for (String list : List.of("normalizers", "pretokenizers")) {
      for (JsonNode inner : step.path(list)) {
        step(part, known, inner);
      }
    }
  }

  private static void nonEmpty(String part, String problem, String value)
      throws MalformedException {
    if (value.isEmpty()) {
      throw new MalformedException("its " + part + " has " + problem);
    }
  }
}
