package io.attention4j.kernels.opencl;

import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.attention.ScoreModifier;
import io.attention4j.engine.spi.Support;
import java.util.List;

/** What attention.cl takes, and the options of its programs: sizes and formats, nothing else. */
final class AttentionSource {
  /** Most keys of a segment. */
  static final int TILE = 32;

  /** Query vectors of a work group of the prefill kernel. */
  static final int PREFILL_VECTORS = 32;

  /** Most query vectors of a work group of the decode kernel. */
  static final int DECODE_VECTORS = 8;

  /** Floats of local memory that queries and keys of the prefill kernel take. */
  private static final int POOL_FLOATS = 2 * 32 * 36;

  private static final int MOST_VALUE_DIM = 1024;
  private static final int MOST_LANES = 16;

  /** Results that a mask may have at once while it is evaluated, one bit each. */
  private static final int MOST_PARTS = 31;

  private AttentionSource() {}

  /** Whether the kernels take it and the device has the local memory. */
  static Support supports(AttentionSpec spec, ClDevice device) {
    for (KvFormat format : List.of(spec.keyFormat(), spec.valueFormat())) {
      if (!(format instanceof KvFormat.Plain || format instanceof KvFormat.Q8)) {
        return Support.no(
            "keys or values in "
                + format.getClass().getSimpleName()
                + " pages, which opencl does not read; use q8 or f16");
      }
    }
    if (containsCode(spec.mask())) {
      return Support.no("mask Custom is code of the JVM, which a device cannot call");
    }
    if (spec.modifiers().stream().anyMatch(m -> m instanceof ScoreModifier.Custom)) {
      return Support.no("modifier Custom is code of the JVM, which a device cannot call");
    }
    if (width(spec.mask()) > MOST_PARTS) {
      return Support.no("the mask combines more than " + MOST_PARTS + " parts at once");
    }
    if (spec.valueDim() > MOST_VALUE_DIM) {
      return Support.no("valueDim " + spec.valueDim() + " is more than " + MOST_VALUE_DIM);
    }
    long pool = Math.max(POOL_FLOATS, (long) valueKeys(spec) * paddedValueDim(spec));
    long needed = (pool + (32 * 36) + 5 * 32 + 1) * Float.BYTES;
    if (needed > device.localBytes()) {
      return Support.no(
          "valueDim "
              + spec.valueDim()
              + " needs "
              + needed
              + " bytes of local memory and the device has "
              + device.localBytes());
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

  /** Most results that evaluating a mask in postfix order keeps. */
  private static int width(Mask mask) {
    return switch (mask) {
      case Mask.AllOf all -> width(all.parts());
      case Mask.AnyOf any -> width(any.parts());
      default -> 1;
    };
  }

  private static int width(List<Mask> parts) {
    int widest = 1;
    for (int i = 0; i < parts.size(); i++) {
      widest = Math.max(widest, i + width(parts.get(i)));
    }
    return widest;
  }

  private static int paddedValueDim(AttentionSpec spec) {
    return Math.ceilDiv(spec.valueDim(), 32) * 32;
  }

  /** Values that pass through local memory at once. */
  private static int valueKeys(AttentionSpec spec) {
    int fitting = Integer.highestOneBit(Math.max(1, POOL_FLOATS / paddedValueDim(spec)));
    return Math.clamp(fitting, 4, TILE);
  }

  /** Whether eight elements of every vector can be loaded at once if pages start at 16 bytes. */
  static boolean alignable(AttentionSpec spec) {
    return spec.headDim() % 8 == 0 && spec.valueDim() % 8 == 0;
  }

  /** The program for many query vectors. */
  static ClProgramCache.Source prefill(AttentionSpec spec, boolean aligned) {
    return source(
        "attention_prefill",
        spec,
        aligned,
        PREFILL_VECTORS,
        " -DCOLUMNS=" + paddedValueDim(spec) / 32 + " -DVALUE_KEYS=" + valueKeys(spec));
  }

  /** The program for up to this many query vectors a work group, a power of two. */
  static ClProgramCache.Source decode(AttentionSpec spec, boolean aligned, int vectors) {
    int keyLanes = lanes(spec.headDim());
    int valueLanes = lanes(spec.valueDim());
    return source(
        "attention_decode",
        spec,
        aligned,
        vectors,
        " -DKEY_LANES="
            + keyLanes
            + " -DKEY_STRIPS="
            + Math.ceilDiv(spec.headDim(), 8 * keyLanes)
            + " -DVALUE_LANES="
            + valueLanes
            + " -DVALUE_STRIPS="
            + Math.ceilDiv(spec.valueDim(), 8 * valueLanes));
  }

  /** Most vectors of a decode work group that fit the device's local memory. */
  static int decodeVectors(ClDevice device) {
    int vectors = DECODE_VECTORS;
    while (vectors > 1
        && (vectors * TILE * (MOST_LANES + 3L) + 3L * vectors) * Float.BYTES
            > device.localBytes()) {
      vectors /= 2;
    }
    return vectors;
  }

  private static int lanes(int dim) {
    // At least two: PoCL 3.1 gives NaN for sums of values whose loop has a lane to itself.
    int strips = Math.max(2, Math.ceilDiv(dim, 8));
    return Math.min(MOST_LANES, Integer.highestOneBit(2 * strips - 1));
  }

  private static ClProgramCache.Source source(
      String resource, AttentionSpec spec, boolean aligned, int rows, String more) {
    return new ClProgramCache.Source(
        List.of("attention", resource),
        "-DTILE="
            + TILE
            + " -DROWS="
            + rows
            + " -DKEY_FORMAT="
            + format(spec.keyFormat())
            + " -DVALUE_FORMAT="
            + format(spec.valueFormat())
            + " -DKEY_SCALED="
            + (spec.keyFormat() instanceof KvFormat.Q8 ? 1 : 0)
            + " -DVALUE_SCALED="
            + (spec.valueFormat() instanceof KvFormat.Q8 ? 1 : 0)
            + (aligned ? " -DALIGNED" : "")
            + more);
  }

  /** The program that adds states; the same for all specs. */
  static final ClProgramCache.Source MERGE =
      new ClProgramCache.Source(
          List.of("attention", "attention_merge"),
          "-DKEY_FORMAT=F32 -DVALUE_FORMAT=F32 -DKEY_SCALED=0 -DVALUE_SCALED=0");

  private static String format(KvFormat format) {
    return switch (format) {
      case KvFormat.Plain plain -> plain.dtype().name();
      case KvFormat.Q8 q8 -> "Q8";
      default -> throw new IllegalArgumentException(format + " is refused by supports");
    };
  }
}
