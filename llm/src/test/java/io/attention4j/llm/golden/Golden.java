package io.attention4j.llm.golden;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.attention4j.llm.sampling.LogProbs.TokenLogProb;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.StreamSupport;

/**
 * What llama.cpp said about a tiny model; README.md beside the files tells how they were made.
 *
 * @param sha256 of the model's file, in hexadecimal
 * @param smallestGap between the two largest logits of any greedy step
 * @param prompt token ids
 * @param greedy most probable tokens after the prompt, each after those before it
 * @param positions most probable tokens after some of the sequence's prefixes
 * @param text a text
 * @param textTokens its tokens, without BOS
 */
record Golden(
    String sha256,
    double smallestGap,
    int[] prompt,
    List<TokenLogProb> greedy,
    List<Position> positions,
    String text,
    int[] textTokens) {

  /** Most probable tokens after the sequence's first so many tokens, the best first. */
  record Position(int tokens, List<TokenLogProb> top) {}

  static Golden read(String model) throws IOException {
    try (InputStream in = Golden.class.getResourceAsStream(model + ".json")) {
      if (in == null) {
        throw new IOException("there are no golden values of " + model + "; run the recipe");
      }
      JsonNode root = new JsonMapper().readTree(in);
      List<Position> positions = new ArrayList<>();
      for (JsonNode position : root.required("positions")) {
        positions.add(
            new Position(
                position.required("tokens").intValue(), pairs(position.required("logProbs"))));
      }
      return new Golden(
          root.required("sha256").textValue(),
          root.required("smallestGap").doubleValue(),
          ints(root.required("prompt")),
          pairs(root.required("greedy")),
          positions,
          root.required("text").textValue(),
          ints(root.required("textTokens")));
    }
  }

  private static List<TokenLogProb> pairs(JsonNode list) {
    List<TokenLogProb> pairs = new ArrayList<>();
    for (JsonNode pair : list) {
      pairs.add(new TokenLogProb(pair.required(0).intValue(), pair.required(1).doubleValue()));
    }
    return pairs;
  }

  private static int[] ints(JsonNode list) {
    return StreamSupport.stream(list.spliterator(), false).mapToInt(JsonNode::intValue).toArray();
  }
}
