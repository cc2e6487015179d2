package io.attention4j.llm.loading;

import static io.attention4j.llm.format.ModelFormatException.quote;

import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.architecture.Weight;
import io.attention4j.llm.architecture.WeightNames;
import io.attention4j.llm.format.ModelFormatException;
import io.attention4j.llm.format.TensorSource;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.UnaryOperator;

/**
 * Names of the weights in one file. Files differ in a prefix by the class that saved them: with or
 * without a language-model head, inside a multimodal model. The token embedding shows which it is.
 */
public final class TensorNames {
  private static final List<UnaryOperator<String>> VARIANTS =
      List.of(
          name -> name,
          name -> "transformer." + name,
          name -> "language_model." + name,
          name -> name.replaceFirst("^model\\.", "model.language_model."),
          name -> name.replaceFirst("^model\\.", ""));

  private final WeightNames names;
  private final UnaryOperator<String> variant;
  private final String tokenEmbedding;
  private final int vocabularySize;

  private TensorNames(
      WeightNames names, UnaryOperator<String> variant, String tokenEmbedding, int vocabularySize) {
    this.names = names;
    this.variant = variant;
    this.tokenEmbedding = tokenEmbedding;
    this.vocabularySize = vocabularySize;
  }

  static TensorNames resolve(Path path, TensorSource tensors, WeightNames names, boolean tied) {
    String plain = names.name(Weight.TOKEN_EMBEDDING, 0) + ".weight";
    for (UnaryOperator<String> variant : VARIANTS) {
      Optional<Tensor> embedding = tensors.find(variant.apply(plain));
      if (embedding.isPresent()) {
        return of(path, names, variant, variant.apply(plain), embedding.get());
      }
    }
    // safetensors stores a tied matrix once, under the alphabetically first of its names.
    String head = names.name(Weight.OUTPUT, 0) + ".weight";
    Optional<Tensor> embedding = tied ? tensors.find(head) : Optional.empty();
    if (embedding.isPresent()) {
      return of(path, names, VARIANTS.getFirst(), head, embedding.get());
    }
    throw new ModelFormatException(
        path,
        "the token embedding " + quote(plain) + " is missing",
        "download or convert the model again");
  }

  private static TensorNames of(
      Path path,
      WeightNames names,
      UnaryOperator<String> variant,
      String tokenEmbedding,
      Tensor tensor) {
    long rows = tensor.shape().rank() == 2 ? tensor.extent(0) : 0;
    if (rows < 1 || rows > Integer.MAX_VALUE) {
      throw new ModelFormatException(
          path,
          "the token embedding "
              + quote(tokenEmbedding)
              + " has the shape "
              + tensor.shape()
              + " where [vocabulary, dim] is expected",
          "download or convert the model again");
    }
    return new TensorNames(names, variant, tokenEmbedding, (int) rows);
  }

  /** Name without ".weight" or ".bias". */
  public String name(Weight weight, int layer) {
    if (weight == Weight.TOKEN_EMBEDDING) {
      return tokenEmbedding.substring(0, tokenEmbedding.length() - ".weight".length());
    }
    String name = names.name(weight, layer);
    String prefixed = variant.apply(name);
    // The head stays outside the part that a prefix marks, except inside multimodal models.
    return weight == Weight.OUTPUT && !prefixed.startsWith("language_model.") ? name : prefixed;
  }

  /** Whether matrices of linear layers are stored [inputs, outputs]. */
  public boolean transposedMatrices() {
    return names.transposedMatrices();
  }

  /** Rows of the token embedding. */
  public int vocabularySize() {
    return vocabularySize;
  }
}
