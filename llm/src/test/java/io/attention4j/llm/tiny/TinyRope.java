package io.attention4j.llm.tiny;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.attention4j.llm.gguf.GgufWriter;
import java.util.LinkedHashMap;
import java.util.Map;

/** Rotations of tiny models: how files state them, and angles worked out anew. */
final class TinyRope {
  private static final double LOW = 1;
  private static final double HIGH = 4;

  private TinyRope() {}

  static void settings(TinySpec spec, GgufWriter writer) {
    String a = spec.architecture() + ".rope.scaling.";
    switch (spec.ropeScaling()) {
      case "linear", "yarn" -> {
        writer.string(a + "type", spec.ropeScaling());
        writer.float32(a + "factor", (float) TinySpec.FACTOR);
        writer.uint32(a + "original_context_length", TinySpec.ORIGINAL_CONTEXT);
      }
      case "longrope" -> {
        writer.uint32(a + "original_context_length", TinySpec.ORIGINAL_CONTEXT);
        writer.float32(a + "attn_factor", (float) longRopeFactor());
      }
      default -> {}
    }
  }

  static void config(TinySpec spec, ObjectNode config) {
    if (spec.ropeScaling().equals("none")) {
      return;
    }
    ObjectNode scaling = config.putObject("rope_scaling").put("rope_type", spec.ropeScaling());
    if (spec.ropeScaling().equals("longrope")) {
      for (float divisor : longRopeDivisors(spec, false)) {
        scaling.withArray("short_factor").add(divisor);
      }
      for (float divisor : longRopeDivisors(spec, true)) {
        scaling.withArray("long_factor").add(divisor);
      }
      return;
    }
    scaling.put("factor", TinySpec.FACTOR);
    if (!spec.ropeScaling().equals("linear")) {
      scaling.put("original_max_position_embeddings", TinySpec.ORIGINAL_CONTEXT);
    }
    if (spec.ropeScaling().equals("llama3")) {
      scaling.put("low_freq_factor", LOW).put("high_freq_factor", HIGH);
    }
  }

  static double longRopeFactor() {
    double stretch = (double) TinySpec.CONTEXT / TinySpec.ORIGINAL_CONTEXT;
    return Math.sqrt(1 + Math.log(stretch) / Math.log(TinySpec.ORIGINAL_CONTEXT));
  }

  static Map<String, float[]> tensors(TinySpec spec) {
    Map<String, float[]> tensors = new LinkedHashMap<>();
    switch (spec.ropeScaling()) {
      case "llama3" -> tensors.put("rope_freqs.weight", llama3Divisors(spec));
      case "longrope" -> {
        tensors.put("rope_factors_long.weight", longRopeDivisors(spec, true));
        tensors.put("rope_factors_short.weight", longRopeDivisors(spec, false));
      }
      default -> {}
    }
    return tensors;
  }

  static float[] longRopeDivisors(TinySpec spec, boolean beyond) {
    float[] divisors = new float[spec.rotaryDim() / 2];
    for (int i = 0; i < divisors.length; i++) {
      divisors[i] = beyond ? 1 + 0.6f * i : 1 + 0.05f * i;
    }
    return divisors;
  }

  /** As llama.cpp's converter works them out. */
  private static float[] llama3Divisors(TinySpec spec) {
    float[] divisors = new float[spec.rotaryDim() / 2];
    double longest = TinySpec.ORIGINAL_CONTEXT / LOW;
    double shortest = TinySpec.ORIGINAL_CONTEXT / HIGH;
    for (int i = 0; i < divisors.length; i++) {
      double wavelength = 2 * Math.PI * Math.pow(TinySpec.BASE, 2.0 * i / spec.rotaryDim());
      double divisor = TinySpec.FACTOR;
      if (wavelength < shortest) {
        divisor = 1;
      } else if (wavelength <= longest) {
        double smooth = (TinySpec.ORIGINAL_CONTEXT / wavelength - LOW) / (HIGH - LOW);
        divisor = 1 / ((1 - smooth) / TinySpec.FACTOR + smooth);
      }
      divisors[i] = (float) divisor;
    }
    return divisors;
  }

  /** Angle of pair i at a position. */
  static double angle(TinySpec spec, int layer, int position, int i) {
    double plain = Math.pow(TinySpec.BASE, -2.0 * i / spec.rotaryDim());
    if (spec.architecture().equals("gemma3") && spec.sliding(layer)) {
      return position * plain;
    }
    return position
        * switch (spec.ropeScaling()) {
          case "linear" -> plain / TinySpec.FACTOR;
          case "llama3" -> plain / llama3Divisors(spec)[i];
          case "longrope" -> plain / longRopeDivisors(spec, true)[i];
          case "yarn" -> {
            double low = Math.max(0, Math.floor(correction(spec, 32)));
            double high = Math.min(spec.rotaryDim() - 1, Math.ceil(correction(spec, 1)));
            double ramp = Math.min(1, Math.max(0, (i - low) / Math.max(0.001, high - low)));
            yield plain / TinySpec.FACTOR * ramp + plain * (1 - ramp);
          }
          default -> plain;
        };
  }

  static double attentionFactor(TinySpec spec) {
    return switch (spec.ropeScaling()) {
      case "yarn" -> 1 + 0.1 * Math.log(TinySpec.FACTOR);
      case "longrope" -> longRopeFactor();
      default -> 1;
    };
  }

  private static double correction(TinySpec spec, double rotations) {
    return spec.rotaryDim()
        * Math.log(TinySpec.ORIGINAL_CONTEXT / (rotations * 2 * Math.PI))
        / (2 * Math.log(TinySpec.BASE));
  }
}
