package io.attention4j.engine.recurrent.layer;

import java.lang.foreign.Arena;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

/** Layers of Titans and Miras, 8 wide with two heads, from weights by name. */
final class MemoryLayerCases {
  static final int WIDTH = 8;
  static final int HEADS = 2;
  static final int RANK = 3;
  static final int PERSISTENT = 2;
  static final int ATTENTION = 4;

  /** Of two matrices [16, 4] and [4, 16]. */
  static final int PARAMETERS = 128;

  private MemoryLayerCases() {}

  static TitansSettings settings(int chunk) {
    return new TitansSettings(WIDTH, HEADS, 2, 4, true, chunk, 0.5, PERSISTENT, ATTENTION);
  }

  static Map<String, long[]> titansShapes() {
    Map<String, long[]> shapes = new HashMap<>();
    for (String name : "W_Q W_K W_V W_O W_G attn.W_Q attn.W_K attn.W_V".split(" ")) {
      shapes.put(name, new long[] {WIDTH, WIDTH});
    }
    for (String name : "alpha eta theta".split(" ")) {
      shapes.put("w_" + name, new long[] {WIDTH, HEADS});
      shapes.put("b_" + name, new long[] {HEADS});
    }
    shapes.put("conv", new long[] {3, WIDTH, 4});
    shapes.put("M_init", new long[] {HEADS, PARAMETERS});
    shapes.put("norm_m", new long[] {WIDTH});
    shapes.put("norm_y", new long[] {WIDTH});
    shapes.put("p", new long[] {PERSISTENT, WIDTH});
    return shapes;
  }

  static Map<String, long[]> mirasShapes() {
    Map<String, long[]> shapes = new HashMap<>();
    for (String name : "W_Q W_K W_V W_O W_G".split(" ")) {
      shapes.put(name, new long[] {WIDTH, WIDTH});
    }
    for (String name : "alpha eta delta".split(" ")) {
      int out = name.equals("delta") ? HEADS : WIDTH;
      shapes.put(name + ".down", new long[] {WIDTH, RANK});
      shapes.put(name + ".up", new long[] {RANK, out});
      shapes.put(name + ".bias", new long[] {out});
    }
    shapes.put("conv", new long[] {3, WIDTH, 4});
    shapes.put("M_init", new long[] {HEADS, PARAMETERS});
    shapes.put("norm", new long[] {WIDTH});
    return shapes;
  }

  static LayerWeights weights(Map<String, long[]> shapes) {
    return new LayerWeights(LayerCases.source(Arena.ofAuto(), shapes), "");
  }

  static Map<String, SequenceLayer> all() {
    Map<String, SequenceLayer> all = new LinkedHashMap<>();
    for (int chunk : new int[] {1, 3, 4}) {
      for (TitansLayer.Kind kind : TitansLayer.Kind.values()) {
        all.put(
            "titans " + kind + " in chunks of " + chunk,
            new TitansLayer(kind, settings(chunk), weights(titansShapes())));
      }
      for (MirasLayer.Kind kind : MirasLayer.Kind.values()) {
        all.put(
            kind + " in chunks of " + chunk,
            new MirasLayer(kind, WIDTH, HEADS, RANK, chunk, weights(mirasShapes())));
      }
    }
    return all;
  }
}
