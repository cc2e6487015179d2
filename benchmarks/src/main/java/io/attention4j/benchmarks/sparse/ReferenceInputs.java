package io.attention4j.benchmarks.sparse;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Reads dumps of a model's layers: meta.json and blkN.q_rope, k_rope and v as f32.bin. */
final class ReferenceInputs {
  private ReferenceInputs() {}

  static List<LayerInput> read(Path folder) throws IOException {
    JsonNode meta = new ObjectMapper().readTree(folder.resolve("meta.json").toFile());
    int tokens = positive(meta, "tokens", folder);
    int heads = positive(meta, "heads", folder);
    int kvHeads = positive(meta, "kv_heads", folder);
    int dim = positive(meta, "head_dim", folder);
    List<LayerInput> layers = new ArrayList<>();
    for (int layer = 0; layer < positive(meta, "layers", folder); layer++) {
      layers.add(
          new LayerInput(
              heads,
              kvHeads,
              dim,
              floats(folder.resolve("blk" + layer + ".q_rope.f32.bin"), tokens * heads * dim),
              floats(folder.resolve("blk" + layer + ".k_rope.f32.bin"), tokens * kvHeads * dim),
              floats(folder.resolve("blk" + layer + ".v.f32.bin"), tokens * kvHeads * dim)));
    }
    return layers;
  }

  private static int positive(JsonNode meta, String field, Path folder) throws IOException {
    int value = meta.path(field).asInt();
    if (value < 1 || value > 1 << 16) {
      throw new IOException(
          "meta.json in " + folder + " has " + field + "=" + meta.path(field) + ", not 1..65536");
    }
    return value;
  }

  private static float[] floats(Path file, int count) throws IOException {
    byte[] bytes = Files.readAllBytes(file);
    if (bytes.length != count * Float.BYTES) {
      throw new IOException(
          file
              + " has "
              + bytes.length
              + " bytes, not the "
              + count * Float.BYTES
              + " of meta.json");
    }
    float[] values = new float[count];
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(values);
    return values;
  }
}
