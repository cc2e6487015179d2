package io.attention4j.llm.tokenizer;

import static io.attention4j.llm.format.ModelFormatException.quote;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Arrays;

/**
 * What the post-processor of a tokenizer.json puts around a single text. Read here, not by the
 * native library: that one ends the JVM when a template names a token that the file does not
 * define.
 *
 * @param prefix ids before a text
 * @param suffix ids after it
 */
record PostProcessor(int[] prefix, int[] suffix) {
  private static final int[] NONE = {};

  /**
   * Reads a post_processor; null and absent mean nothing around the text.
   *
   * @param size ids must lie below it
   */
  static PostProcessor of(JsonNode node, int size) throws MalformedException {
    String type = node.path("type").asText("none");
    switch (type) {
      case "none", "ByteLevel":
        return new PostProcessor(NONE, NONE);
      case "Sequence":
        PostProcessor whole = new PostProcessor(NONE, NONE);
        for (JsonNode step : node.path("processors")) {
          PostProcessor inner = of(step, size);
          whole =
              new PostProcessor(
                  concat(inner.prefix, whole.prefix), concat(whole.suffix, inner.suffix));
        }
        return whole;
      case "BertProcessing", "RobertaProcessing":
        return new PostProcessor(
            new int[] {id(node.path("cls").path(1), size)},
            new int[] {id(node.path("sep").path(1), size)});
      case "TemplateProcessing":
        return template(node, size);
      default:
        throw new MalformedException("its post-processor " + quote(type) + " is unknown");
    }
  }

  private static PostProcessor template(JsonNode node, int size) throws MalformedException {
    int[] prefix = NONE;
    int[] suffix = NONE;
    boolean textSeen = false;
    for (JsonNode piece : node.path("single")) {
      if (piece.has("Sequence")) {
        if (textSeen) {
          throw new MalformedException("its template repeats the text");
        }
        textSeen = true;
        continue;
      }
      String name = piece.path("SpecialToken").path("id").asText("");
      JsonNode ids = node.path("special_tokens").path(name).path("ids");
      if (!ids.isArray()) {
        throw new MalformedException(
            "its template names " + quote(name) + " without giving its ids");
      }
      for (JsonNode id : ids) {
        int[] one = {id(id, size)};
        if (textSeen) {
          suffix = concat(suffix, one);
        } else {
          prefix = concat(prefix, one);
        }
      }
    }
    if (!textSeen) {
      throw new MalformedException("its template has no place for the text");
    }
    return new PostProcessor(prefix, suffix);
  }

  private static int id(JsonNode value, int size) throws MalformedException {
    if (!value.isInt() || value.intValue() < 0 || value.intValue() >= size) {
      throw new MalformedException(
          "its post-processor adds the id " + value + ", outside the vocabulary of " + size);
    }
    return value.intValue();
  }

  private static int[] concat(int[] a, int[] b) {
    int[] all = Arrays.copyOf(a, a.length + b.length);
    System.arraycopy(b, 0, all, a.length, b.length);
    return all;
  }
}
