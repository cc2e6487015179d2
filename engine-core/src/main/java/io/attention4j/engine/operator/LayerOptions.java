package io.attention4j.engine.operator;

import java.util.ArrayList;
import java.util.List;

/**
 * An option that may differ per layer: {@code softmax}, or {@code 0-3=softmax,4-=hyper:block=256}.
 * Ranges are inclusive, {@code 4-} runs to the last layer, {@code 7} is one layer. Every layer must
 * be covered once.
 */
public final class LayerOptions {
  private record Part(int from, int to, OptionSpec option) {}

  private final String text;
  private final List<Part> parts;

  private LayerOptions(String text, List<Part> parts) {
    this.text = text;
    this.parts = parts;
  }

  /**
   * Parses the option.
   *
   * @throws IllegalArgumentException if the text does not follow the grammar; quotes it
   */
  public static LayerOptions parse(String text) {
    List<Part> parts = new ArrayList<>();
    if (text.isEmpty() || !Character.isDigit(text.charAt(0))) {
      parts.add(new Part(0, Integer.MAX_VALUE, OptionSpec.parse(text)));
      return new LayerOptions(text, parts);
    }
    for (String piece : text.split(",", -1)) {
      int equals = piece.indexOf('=');
      String range = equals < 0 ? "" : piece.substring(0, equals);
      if (!range.matches("\\d{1,6}(-\\d{0,6})?")) {
        throw new IllegalArgumentException(
            "'"
                + piece
                + "' in '"
                + text
                + "' is not RANGE=NAME; write for example 0-3=softmax,4-=softmax");
      }
      int dash = range.indexOf('-');
      int from = Integer.parseInt(dash < 0 ? range : range.substring(0, dash));
      int to =
          dash < 0
              ? from
              : dash == range.length() - 1
                  ? Integer.MAX_VALUE
                  : Integer.parseInt(range.substring(dash + 1));
      parts.add(new Part(from, to, OptionSpec.parse(piece.substring(equals + 1))));
    }
    return new LayerOptions(text, parts);
  }

  /**
   * The option of each layer.
   *
   * @throws IllegalArgumentException if a layer is not covered exactly once
   */
  public List<OptionSpec> forLayers(int layers) {
    List<OptionSpec> options = new ArrayList<>(layers);
    for (int layer = 0; layer < layers; layer++) {
      OptionSpec found = null;
      for (Part part : parts) {
        if (layer >= part.from && layer <= part.to) {
          if (found != null) {
            throw new IllegalArgumentException("'" + text + "' covers layer " + layer + " twice");
          }
          found = part.option;
        }
      }
      if (found == null) {
        throw new IllegalArgumentException(
            "'" + text + "' does not cover layer " + layer + " of " + layers);
      }
      options.add(found);
    }
    return options;
  }

  @Override
  public String toString() {
    return text;
  }
}
