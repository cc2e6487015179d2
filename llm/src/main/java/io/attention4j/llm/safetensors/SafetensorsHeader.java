package io.attention4j.llm.safetensors;

import static io.attention4j.llm.format.ModelFormatException.quote;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonFactoryBuilder;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import io.attention4j.engine.tensor.Shape;
import io.attention4j.llm.format.ModelFormatException;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * Parses the JSON header of a safetensors file, and the index of a sharded model.
 *
 * <p>Streaming, with duplicate keys refused at every level; nothing is kept but the tensors.
 */
final class SafetensorsHeader {
  // Interned or canonicalized names would let a hostile header grow tables that outlive it.
  static final JsonFactory JSON =
      new JsonFactoryBuilder()
          .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
          .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
          .build();

  private static final int MAX_RANK = 8;
  // Far more than tools write; bounds what the check for duplicates costs.
  private static final int MAX_METADATA_KEYS = 1 << 16;
  private static final String DAMAGED = "the file is damaged: download or convert it again";

  private final Path file;
  private final JsonParser parser;

  private SafetensorsHeader(Path file, JsonParser parser) {
    this.file = file;
    this.parser = parser;
  }

  /**
   * The tensors of a header in the order of the file.
   *
   * @param json the header without its length
   */
  static Map<String, SafetensorsTensorInfo> parseTensors(Path file, MemorySegment json) {
    return parse(file, json, SafetensorsHeader::tensors);
  }

  /** The {@code weight_map} of a {@code model.safetensors.index.json}: file name by tensor name. */
  static Map<String, String> parseIndex(Path file, MemorySegment json) {
    return parse(file, json, SafetensorsHeader::index);
  }

  private interface Body<T> {
    T read(SafetensorsHeader header) throws IOException;
  }

  private static <T> T parse(Path file, MemorySegment json, Body<T> body) {
    // A fresh decoder reports malformed UTF-8 instead of replacing it.
    InputStream bytes = new SegmentInputStream(json);
    try (InputStreamReader text =
            new InputStreamReader(bytes, StandardCharsets.UTF_8.newDecoder());
        JsonParser parser = JSON.createParser(text)) {
      SafetensorsHeader header = new SafetensorsHeader(file, parser);
      header.expect(parser.nextToken(), JsonToken.START_OBJECT, "the header", "");
      T result = body.read(header);
      if (parser.nextToken() != null) {
        throw header.error("the JSON header is followed by more text");
      }
      return result;
    } catch (JsonProcessingException malformed) {
      throw new ModelFormatException(
          file,
          "the JSON header is malformed: the parser says " + quote(malformed.getOriginalMessage()),
          DAMAGED,
          malformed);
    } catch (IOException malformed) {
      // The text comes from memory, so this is its content: bytes that are not UTF-8.
      throw new ModelFormatException(
          file, "the JSON header is not valid UTF-8", DAMAGED, malformed);
    }
  }

  private Map<String, SafetensorsTensorInfo> tensors() throws IOException {
    Map<String, SafetensorsTensorInfo> tensors = new LinkedHashMap<>();
    boolean metadataSeen = false;
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      String name = parser.currentName();
      if (name.equals("__metadata__")) {
        if (metadataSeen) {
          throw error("__metadata__ occurs twice");
        }
        metadataSeen = true;
        metadata();
      } else if (tensors.put(name, tensor(name)) != null) {
        throw error("the tensor " + quote(name) + " occurs twice");
      }
    }
    return tensors;
  }

  private void metadata() throws IOException {
    expect(parser.nextToken(), JsonToken.START_OBJECT, "__metadata__", "");
    Set<String> keys = new HashSet<>();
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      if (!keys.add(parser.currentName())) {
        throw error("__metadata__ has the key " + quote(parser.currentName()) + " twice");
      }
      expect(parser.nextToken(), JsonToken.VALUE_STRING, "a value of __metadata__", "");
      if (keys.size() > MAX_METADATA_KEYS) {
        throw error("__metadata__ has more than " + MAX_METADATA_KEYS + " keys");
      }
    }
  }

  private SafetensorsTensorInfo tensor(String name) throws IOException {
    expect(parser.nextToken(), JsonToken.START_OBJECT, "the tensor", name);
    String type = null;
    long[] extents = null;
    long[] offsets = null;
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      String field = parser.currentName();
      boolean first;
      switch (field) {
        case "dtype" -> {
          first = type == null;
          expect(parser.nextToken(), JsonToken.VALUE_STRING, "the dtype of tensor", name);
          type = parser.getText();
        }
        case "shape" -> {
          first = extents == null;
          extents = integers("the shape of tensor", name, MAX_RANK);
        }
        case "data_offsets" -> {
          first = offsets == null;
          offsets = integers("data_offsets of tensor", name, 2);
        }
        default ->
            throw error("the tensor " + quote(name) + " has the unknown field " + quote(field));
      }
      if (!first) {
        throw error("the tensor " + quote(name) + " has the field " + quote(field) + " twice");
      }
    }
    if (type == null || extents == null || offsets == null || offsets.length != 2) {
      throw error("the tensor " + quote(name) + " lacks one of dtype, shape and two data_offsets");
    }
    return info(name, type, extents, offsets);
  }

  private SafetensorsTensorInfo info(String name, String type, long[] extents, long[] offsets) {
    SafetensorsType known = SafetensorsType.of(type);
    if (known == null) {
      throw error("the tensor " + quote(name) + " has the unknown dtype " + quote(type));
    }
    Shape shape;
    long bits;
    try {
      shape = Shape.of(extents);
      bits = Math.multiplyExact(shape.elements(), (long) known.bits());
    } catch (ArithmeticException overflow) {
      throw error(
          "the tensor "
              + quote(name)
              + " has the shape "
              + Arrays.toString(extents)
              + ", whose size overflows");
    }
    if (offsets[1] < offsets[0] || bits % 8 != 0 || bits / 8 != offsets[1] - offsets[0]) {
      throw error(
          "the tensor "
              + quote(name)
              + " has the data_offsets "
              + Arrays.toString(offsets)
              + " but "
              + known
              + shape
              + " takes "
              + bits / 8
              + " bytes");
    }
    return new SafetensorsTensorInfo(known, shape, offsets[0], offsets[1]);
  }

  /** An array of non-negative integers. */
  private long[] integers(String what, String name, int maxCount) throws IOException {
    expect(parser.nextToken(), JsonToken.START_ARRAY, what, name);
    long[] values = new long[maxCount];
    int count = 0;
    while (parser.nextToken() != JsonToken.END_ARRAY) {
      expect(parser.currentToken(), JsonToken.VALUE_NUMBER_INT, what, name);
      if (count == maxCount) {
        throw error(what + " " + quote(name) + " has more than " + maxCount + " entries");
      }
      values[count] = parser.getLongValue(); // the parser refuses what does not fit
      if (values[count] < 0) {
        throw error(what + " " + quote(name) + " has the negative entry " + values[count]);
      }
      count++;
    }
    return Arrays.copyOf(values, count);
  }

  private Map<String, String> index() throws IOException {
    Map<String, String> fileOfTensor = null;
    Set<String> fields = new HashSet<>();
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      String field = parser.currentName();
      if (!fields.add(field)) {
        throw error("the field " + quote(field) + " occurs twice");
      }
      parser.nextToken();
      if (field.equals("weight_map")) {
        fileOfTensor = weightMap();
      } else {
        parser.skipChildren();
      }
    }
    if (fileOfTensor == null) {
      throw error("the index has no weight_map");
    }
    return fileOfTensor;
  }

  private Map<String, String> weightMap() throws IOException {
    expect(parser.currentToken(), JsonToken.START_OBJECT, "weight_map", "");
    Map<String, String> fileOfTensor = new LinkedHashMap<>();
    Map<String, String> sameFile = new LinkedHashMap<>(); // one String per file, not per tensor
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      String name = parser.currentName();
      expect(parser.nextToken(), JsonToken.VALUE_STRING, "weight_map", "");
      String shard = parser.getText();
      if (shard.isEmpty() || !shard.endsWith(".safetensors") || shard.matches(".*[/\\\\\0].*")) {
        throw error(
            "weight_map names " + quote(shard) + ", which is not a .safetensors file beside it");
      }
      if (fileOfTensor.put(name, sameFile.computeIfAbsent(shard, s -> s)) != null) {
        throw error("weight_map has the tensor " + quote(name) + " twice");
      }
    }
    return fileOfTensor;
  }

  private void expect(JsonToken found, JsonToken expected, String what, String name) {
    if (found != expected) {
      throw error(
          (name.isEmpty() ? what : what + " " + quote(name))
              + " should be "
              + name(expected)
              + " but "
              + (found == null ? "the text ends" : name(found) + " was found"));
    }
  }

  private static String name(JsonToken token) {
    return switch (token) {
      case START_OBJECT -> "an object";
      case START_ARRAY -> "an array";
      case VALUE_STRING -> "a string";
      case VALUE_NUMBER_INT -> "an integer";
      case VALUE_NUMBER_FLOAT -> "a fraction";
      case VALUE_NULL -> "null";
      case VALUE_TRUE, VALUE_FALSE -> "a boolean";
      default -> "the end of an object or array";
    };
  }

  private ModelFormatException error(String problem) {
    return new ModelFormatException(file, problem, DAMAGED);
  }
}
