package io.attention4j.cli.conformance;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * One case: a folder with {@code meta.json} and a file per tensor.
 *
 * @param name of the folder
 * @param operator ONNX operator
 * @param attributes of the node, an object
 * @param inputs by formal parameter
 * @param outputs by formal parameter, what the operator must give
 */
record OnnxCase(
    String name,
    String operator,
    JsonNode attributes,
    Map<String, OnnxTensor> inputs,
    Map<String, OnnxTensor> outputs) {
  private static final ObjectMapper JSON = new ObjectMapper();

  /** Name of the description. */
  static final String META = "meta.json";

  /**
   * The operator of a case folder, without reading its tensors.
   *
   * @throws IOException if the file cannot be read or is no JSON
   * @throws IllegalArgumentException if it names no operator
   */
  static String operator(Path folder) throws IOException {
    return text(JSON.readTree(folder.resolve(META).toFile()), "op_type");
  }

  /**
   * Reads a folder.
   *
   * @throws IOException if a file cannot be read
   * @throws IllegalArgumentException if the description is wrong; says where
   */
  static OnnxCase read(Path folder) throws IOException {
    JsonNode meta = JSON.readTree(folder.resolve(META).toFile());
    return new OnnxCase(
        folder.getFileName().toString(),
        text(meta, "op_type"),
        meta.path("attributes"),
        tensors(folder, meta.path("inputs")),
        tensors(folder, meta.path("outputs")));
  }

  private static Map<String, OnnxTensor> tensors(Path folder, JsonNode list) throws IOException {
    Map<String, OnnxTensor> tensors = new LinkedHashMap<>();
    for (JsonNode entry : list) {
      // Newer operators have no formal parameter names in the files; theirs equal the tensors'
      // names.
      String slot = entry.path("slot").isTextual() ? text(entry, "slot") : text(entry, "name");
      Path file = folder.resolve(text(entry, "file")).normalize();
      if (!file.startsWith(folder.normalize())) {
        throw new IllegalArgumentException("file " + file + " of " + slot + " is outside its case");
      }
      JsonNode extents = entry.path("shape");
      int[] shape = new int[extents.size()];
      for (int i = 0; i < shape.length; i++) {
        shape[i] = extents.get(i).asInt(-1);
      }
      tensors.put(
          slot, OnnxTensor.decode(slot, text(entry, "dtype"), shape, Files.readAllBytes(file)));
    }
    return tensors;
  }

  private static String text(JsonNode node, String field) {
    JsonNode value = node.path(field);
    if (!value.isTextual()) {
      throw new IllegalArgumentException(META + " lacks the text field '" + field + "'");
    }
    return value.asText();
  }

  /** An input that the operator requires. */
  OnnxTensor input(String slot) {
    OnnxTensor tensor = inputs.get(slot);
    if (tensor == null) {
      throw new IllegalArgumentException(
          operator + " needs input " + slot + " but has " + inputs.keySet());
    }
    return tensor;
  }

  /** An integer attribute, or the default. */
  int integer(String attribute, int defaultValue) {
    return attributes.path(attribute).asInt(defaultValue);
  }

  /** A number attribute, or the default. */
  double number(String attribute, double defaultValue) {
    return attributes.path(attribute).asDouble(defaultValue);
  }

  /** A text attribute, or the default. */
  String word(String attribute, String defaultValue) {
    return attributes.path(attribute).asText(defaultValue);
  }
}
