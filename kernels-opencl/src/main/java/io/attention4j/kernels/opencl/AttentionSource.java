package io.attention4j.kernels.opencl;

import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.attention.Normalizer;
import io.attention4j.engine.attention.ScoreModifier;
import io.attention4j.engine.spi.Support;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * Turns a spec into the prelude of attention.cl: sizes and formats as macros, mask and modifiers as
 * functions. The scale, slopes and sinks are data, so that layers share programs.
 */
final class AttentionSource {
  /** Local memory that a work group may use: what every device in use has. */
  private static final long MOST_LOCAL_BYTES = 32 << 10;

  private static final int[] TILES = {32, 16, 8, 4};

  private static final String VISIBLE =
      "inline int visible(global const long *t, global const long *sequence, global const char"
          + " *bits, long bitsK, long bitsN, long slot, long query, long key) { return ";
  private static final String HIDES_ALL =
      "inline int hides_all(long lowestKey, long highestKey, long lowestQuery, long highestQuery)"
          + " { return ";
  private static final String MODIFIED =
      "inline float modified(float x, float slope, long query, long key, global const float *bias,"
          + " long biasAt) {";

  private AttentionSource() {}

  /** Whether {@link #of} can write it and the device has the local memory. */
  static Support supports(AttentionSpec spec, ClDevice device) {
    if (spec.selection() != AttentionSpec.SelectionKind.NONE) {
      return Support.no("selection " + spec.selection() + " has no OpenCL kernel");
    }
    if (containsCode(spec.mask())) {
      return Support.no("mask Custom is code of the JVM, which a device cannot call");
    }
    if (spec.modifiers().stream().anyMatch(m -> m instanceof ScoreModifier.Custom)) {
      return Support.no("modifier Custom is code of the JVM, which a device cannot call");
    }
    long alibis = spec.modifiers().stream().filter(m -> m instanceof ScoreModifier.Alibi).count();
    if (alibis > 1) {
      return Support.no(alibis + " Alibi modifiers; OpenCL kernels take one");
    }
    if (tile(spec, 1, device) == 0) {
      return Support.no(
          "headDim "
              + spec.headDim()
              + " and valueDim "
              + spec.valueDim()
              + " need more local memory than "
              + Math.min(MOST_LOCAL_BYTES, device.localBytes())
              + " bytes");
    }
    return Support.YES;
  }

  private static boolean containsCode(Mask mask) {
    return switch (mask) {
      case Mask.Custom custom -> true;
      case Mask.AllOf all -> all.parts().stream().anyMatch(AttentionSource::containsCode);
      case Mask.AnyOf any -> any.parts().stream().anyMatch(AttentionSource::containsCode);
      default -> false;
    };
  }

  /** Keys of a tile with this many query vectors per work group, or 0 if none fits. */
  static int tile(AttentionSpec spec, int vectors, ClDevice device) {
    long available = Math.min(MOST_LOCAL_BYTES, device.localBytes());
    long width = Math.max(spec.headDim(), spec.valueDim()) | 1;
    for (int tile : TILES) {
      long floats = tile * width + (long) vectors * (spec.headDim() + tile + 3);
      if (floats * Float.BYTES <= available) {
        return tile;
      }
    }
    return 0;
  }

  /** The program for work groups of this many query vectors and tiles of this many keys. */
  static ClProgramCache.Source of(AttentionSpec spec, int vectors, int tile) {
    StringBuilder options = new StringBuilder();
    options.append("-DHEAD_DIM=").append(spec.headDim());
    options.append(" -DVALUE_DIM=").append(spec.valueDim());
    options.append(" -DTILE=").append(tile);
    options.append(" -DROWS=").append(vectors);
    options.append(" -DKEY_").append(format(spec.keyFormat()));
    options.append(" -DVALUE_").append(format(spec.valueFormat()));
    String prelude =
        switch (spec.normalizer()) {
          case Normalizer.Softmax softmax -> "#define SOFTMAX\n";
          case Normalizer.Sigmoid sigmoid -> "#define SIGMOID (" + literal(sigmoid.bias()) + ")\n";
          case Normalizer.None none -> "";
        };
    prelude +=
        VISIBLE
            + visible(spec.mask())
            + "; }\n"
            + HIDES_ALL
            + hidesAll(spec.mask())
            + "; }\n"
            + MODIFIED
            + spec.modifiers().stream().map(AttentionSource::modify).collect(Collectors.joining())
            + " return x; }\n";
    return new ClProgramCache.Source(List.of("attention"), prelude, options.toString());
  }

  private static String format(KvFormat format) {
    return switch (format) {
      case KvFormat.Plain plain -> plain.dtype().name();
      case KvFormat.Q8 q8 -> "Q8";
    };
  }

  /** An exact literal. */
  private static String literal(float value) {
    if (!Float.isFinite(value)) {
      return "as_float(" + Float.floatToRawIntBits(value) + ")";
    }
    return Float.toHexString(value) + "f";
  }

  private static String visible(Mask mask) {
    return switch (mask) {
      case Mask.All all -> "1";
      case Mask.Causal causal -> "(key <= query)";
      case Mask.Window window ->
          "(query - key <= " + window.left() + "L && key - query <= " + window.right() + "L)";
      case Mask.Global global ->
          "(key < " + global.tokens() + "L || query < " + global.tokens() + "L)";
      case Mask.Prefix prefix -> "(key <= query || key < sequence[3])";
      case Mask.Document document ->
          "(query >= 0 && t[sequence[4] + query] == t[sequence[4] + key])";
      case Mask.Bits bits -> "(slot < bitsN && bits[slot * bitsK] != 0)";
      case Mask.AllOf all -> join(all.parts(), AttentionSource::visible, " && ", "1");
      case Mask.AnyOf any -> join(any.parts(), AttentionSource::visible, " || ", "0");
      case Mask.Custom custom -> throw new AssertionError("refused before");
    };
  }

  /** Whether no key of a range is visible to any query of a range; may err to 0. */
  private static String hidesAll(Mask mask) {
    return switch (mask) {
      case Mask.Causal causal -> "(lowestKey > highestQuery)";
      case Mask.Window window ->
          "(lowestQuery - highestKey > "
              + window.left()
              + "L || lowestKey - highestQuery > "
              + window.right()
              + "L)";
      case Mask.AllOf all -> join(all.parts(), AttentionSource::hidesAll, " || ", "0");
      case Mask.AnyOf any -> join(any.parts(), AttentionSource::hidesAll, " && ", "1");
      default -> "0";
    };
  }

  private static String join(
      List<Mask> parts, Function<Mask, String> write, String operator, String ifEmpty) {
    return parts.isEmpty()
        ? ifEmpty
        : parts.stream().map(write).collect(Collectors.joining(operator, "(", ")"));
  }

  private static String modify(ScoreModifier modifier) {
    return switch (modifier) {
      case ScoreModifier.SoftCap cap ->
          " x = " + literal(cap.cap()) + " * tanh(x / " + literal(cap.cap()) + ");";
      case ScoreModifier.Alibi alibi -> " x -= slope * (float)abs(query - key);";
      case ScoreModifier.AdditiveBias bias -> " x += bias[biasAt];";
      case ScoreModifier.Custom custom -> throw new AssertionError("refused before");
    };
  }
}
