package io.attention4j.llm.tokenizer;

import java.util.HashSet;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;

/**
 * Special tokens known by name to end a turn. Files name at most one end of sequence, while chat
 * models end their turn with another token; every engine keeps such a list.
 */
final class TurnEnds {
  /** Ends of a turn, the usual one of a chat model first. */
  private static final List<String> TURN =
      List.of(
          "<|eot_id|>",
          "<|im_end|>",
          "<end_of_turn>",
          "<|end|>",
          "<|end_of_text|>",
          "<|endoftext|>",
          "<EOT>",
          "<\uFF5Cend\u2581of\u2581sentence\uFF5C>",
          "<end_of_utterance>");

  /** Ends of a message before a tool's answer. */
  private static final String MESSAGE = "<|eom_id|>";

  /** Other ends of generation. */
  private static final List<String> OTHERS = List.of("</s>", "<eos>", "<|return|>", "<|call|>");

  private TurnEnds() {}

  /** The end-of-turn id of a vocabulary. */
  static OptionalInt turn(Vocabulary vocabulary) {
    return TURN.stream()
        .map(name -> id(vocabulary, name))
        .filter(OptionalInt::isPresent)
        .findFirst()
        .orElse(OptionalInt.empty());
  }

  /** The end-of-message id of a vocabulary. */
  static OptionalInt message(Vocabulary vocabulary) {
    return id(vocabulary, MESSAGE);
  }

  /** Every id that ends generation by its name. */
  static Set<Integer> all(Vocabulary vocabulary) {
    Set<Integer> ids = new HashSet<>();
    TURN.forEach(name -> id(vocabulary, name).ifPresent(ids::add));
    OTHERS.forEach(name -> id(vocabulary, name).ifPresent(ids::add));
    message(vocabulary).ifPresent(ids::add);
    // The harmony format ends messages, not the answer, with <|end|>.
    if (id(vocabulary, "<|return|>").isPresent() && id(vocabulary, "<|call|>").isPresent()) {
      id(vocabulary, "<|end|>").ifPresent(ids::remove);
    }
    return ids;
  }

  private static OptionalInt id(Vocabulary vocabulary, String name) {
    Integer id = vocabulary.addedTokens().get(name);
    return id != null && vocabulary.special().get(id) ? OptionalInt.of(id) : OptionalInt.empty();
  }
}
