package io.attention4j.llm.tokenizer;

import java.util.OptionalInt;
import java.util.Set;

/**
 * The ids of the tokens that steer a model instead of standing for text. An empty value means that
 * the file names no such token.
 *
 * @param bos beginning of sequence
 * @param eos end of sequence
 * @param eot end of turn, such as {@code <|im_end|>}
 * @param eom end of message before a tool call, {@code <|eom_id|>}
 * @param unk unknown character
 * @param pad padding
 * @param endOfGeneration every id after which generation stops: eos, eot, eom, the ids that {@code
 *     generation_config.json} adds, and control tokens known by name to end a turn
 */
public record SpecialTokens(
    OptionalInt bos,
    OptionalInt eos,
    OptionalInt eot,
    OptionalInt eom,
    OptionalInt unk,
    OptionalInt pad,
    Set<Integer> endOfGeneration) {

  /** Copies the set. */
  public SpecialTokens {
    endOfGeneration = Set.copyOf(endOfGeneration);
  }
}
