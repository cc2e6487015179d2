package io.attention4j.engine.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class RowCodecTest {
  private static final byte GUARD = 0x5a;

  @ParameterizedTest
  @EnumSource(DType.class)
  void everyTypeHasACodec(DType dtype) {
    assertSame(dtype, RowCodec.of(dtype).dtype());
  }

  @Test
  void encodableTypes() {
    Set<DType> encodable = EnumSet.noneOf(DType.class);
    for (DType dtype : DType.values()) {
      if (RowCodec.of(dtype).canEncode()) {
        encodable.add(dtype);
      }
    }
    assertEquals(
        EnumSet.of(
            DType.F32, DType.F16, DType.BF16, DType.Q8_0, DType.Q4_0, DType.Q4_K, DType.Q6_K),
        encodable);
  }

  @Test
  void decodesWideAndIntegerTypes() {
    ByteBuffer bytes = ByteBuffer.allocate(64).order(ByteOrder.LITTLE_ENDIAN);
    bytes.put(0, (byte) -128).put(1, (byte) 127);
    bytes.putShort(2, (short) -32768).putShort(4, (short) 258);
    bytes.putInt(8, Integer.MIN_VALUE).putInt(12, 16_777_217);
    bytes.putLong(16, Long.MAX_VALUE).putLong(24, -3);
    bytes.putDouble(32, 0.1).putDouble(40, -1e300);
    MemorySegment segment = MemorySegment.ofBuffer(bytes);
    assertArrayEquals(new float[] {-128, 127}, decodeTwo(DType.I8, segment, 0));
    assertArrayEquals(new float[] {-32768, 258}, decodeTwo(DType.I16, segment, 2));
    assertArrayEquals(new float[] {-0x1p31f, 16_777_216}, decodeTwo(DType.I32, segment, 8));
    assertArrayEquals(new float[] {0x1p63f, -3}, decodeTwo(DType.I64, segment, 16));
    assertArrayEquals(
        new float[] {0.1f, Float.NEGATIVE_INFINITY}, decodeTwo(DType.F64, segment, 32));
  }

  private static float[] decodeTwo(DType dtype, MemorySegment segment, long byteOffset) {
    float[] values = new float[2];
    RowCodec.of(dtype).decode(segment, byteOffset, values, 0, 2);
    return values;
  }

  @Test
  void plainFloatsKeepSpecialValues() {
    float[] special = {
      0f,
      -0f,
      Float.NaN,
      Float.POSITIVE_INFINITY,
      Float.NEGATIVE_INFINITY,
      0x1p-24f,
      65504f,
      65519f,
      65520f,
      0x1p-25f,
      0x1.8p-24f
    };
    float[] inHalf = {
      0f,
      -0f,
      Float.NaN,
      Float.POSITIVE_INFINITY,
      Float.NEGATIVE_INFINITY,
      0x1p-24f,
      65504f,
      65504f,
      Float.POSITIVE_INFINITY,
      0f,
      0x1p-23f
    };
    assertArrayEquals(special, roundTrip(DType.F32, special));
    assertArrayEquals(inHalf, roundTrip(DType.F16, special));
    float[] inBrain = roundTrip(DType.BF16, special);
    for (int i = 0; i < special.length; i++) {
      assertEquals(BFloat16.toFloat(BFloat16.fromFloat(special[i])), inBrain[i]);
    }
  }

  private static float[] roundTrip(DType dtype, float[] values) {
    MemorySegment bytes = MemorySegment.ofArray(new byte[(int) dtype.bytes(values.length)]);
    RowCodec.of(dtype).encode(values, 0, bytes, 0, values.length);
    float[] decoded = new float[values.length];
    RowCodec.of(dtype).decode(bytes, 0, decoded, 0, values.length);
    return decoded;
  }

  /**
   * Every value gets the code whose number is nearest, given the scales that were stored. So a
   * value inside a block's range is off by at most half a step. Q4_0 and Q8_0 choose codes before
   * the scale is rounded to F16, by up to 2^-11 of itself, which both candidates may be off by.
   */
  @ParameterizedTest
  @EnumSource(names = {"Q4_0", "Q8_0", "Q4_K", "Q6_K"})
  void encodesToTheNearestCode(DType dtype) {
    boolean legacy = dtype.blockSize() == 32;
    // The last two have blocks with subnormal scales, which F16 rounds by more than 2^-11.
    List<String> cases =
        List.of("bell", "weights", "shifted", "sparse", "large", "one-huge", "falling");
    for (String name : legacy ? cases.subList(0, 5) : cases) {
      float[] values = GgmlCases.floats(name);
      byte[] bytes = new byte[(int) dtype.bytes(values.length)];
      RowCodec codec = RowCodec.of(dtype);
      codec.encode(values, 0, MemorySegment.ofArray(bytes), 0, values.length);
      float[] decoded = new float[values.length];
      codec.decode(MemorySegment.ofArray(bytes), 0, decoded, 0, values.length);

      float[] nearest = new float[values.length];
      Arrays.fill(nearest, Float.POSITIVE_INFINITY);
      float[] candidate = new float[values.length];
      for (int code = 0; code < codes(dtype); code++) {
        byte[] uniform = withAllCodes(dtype, bytes, code);
        codec.decode(MemorySegment.ofArray(uniform), 0, candidate, 0, values.length);
        for (int i = 0; i < values.length; i++) {
          nearest[i] = Math.min(nearest[i], Math.abs(candidate[i] - values[i]));
        }
      }
      for (int i = 0; i < values.length; i++) {
        float slack = Math.abs(values[i]) * (legacy ? 0x1p-10f : 0x1p-21f);
        float error = Math.abs(decoded[i] - values[i]);
        assertTrue(
            error <= nearest[i] + slack,
            dtype
                + " "
                + name
                + " element "
                + i
                + ": "
                + values[i]
                + " became "
                + decoded[i]
                + " but another code is off by only "
                + nearest[i]);
      }
    }
  }

  private static int codes(DType dtype) {
    return switch (dtype) {
      case Q4_0, Q4_K -> 16;
      case Q6_K -> 64;
      case Q8_0 -> 255;
      default -> throw new IllegalArgumentException(dtype.name());
    };
  }

  /** The same scales, every element with one code. */
  private static byte[] withAllCodes(DType dtype, byte[] bytes, int code) {
    byte[] copy = bytes.clone();
    int blockBytes = dtype.blockBytes();
    for (int block = 0; block < bytes.length; block += blockBytes) {
      switch (dtype) {
        case Q4_0 -> Arrays.fill(copy, block + 2, block + 18, (byte) (code * 0x11));
        case Q8_0 -> Arrays.fill(copy, block + 2, block + 34, (byte) (code - 127));
        case Q4_K -> Arrays.fill(copy, block + 16, block + 144, (byte) (code * 0x11));
        case Q6_K -> {
          Arrays.fill(copy, block, block + 128, (byte) ((code & 0xf) * 0x11));
          Arrays.fill(copy, block + 128, block + 192, (byte) ((code >> 4) * 0x55));
        }
        default -> throw new IllegalArgumentException(dtype.name());
      }
    }
    return copy;
  }

  /** Root mean square error in standard deviations of bell-shaped values, below textbook bounds. */
  @Test
  void errorShrinksWithBits() {
    float[] values = GgmlCases.floats("bell");
    double q4 = relativeError(DType.Q4_0, values);
    double q4k = relativeError(DType.Q4_K, values);
    double q6k = relativeError(DType.Q6_K, values);
    double q8 = relativeError(DType.Q8_0, values);
    assertTrue(q8 < q6k && q6k < q4k && q4k < q4, q8 + " " + q6k + " " + q4k + " " + q4);
    // A block of 32 spans about 4 deviations: 16 steps, each with error step / sqrt(12).
    assertTrue(q4k < 4.5 / 15 / Math.sqrt(12), "" + q4k);
  }

  private static double relativeError(DType dtype, float[] values) {
    float[] decoded = roundTrip(dtype, values);
    double errors = 0;
    double squares = 0;
    for (int i = 0; i < values.length; i++) {
      errors += Math.pow(decoded[i] - values[i], 2);
      squares += Math.pow(values[i], 2);
    }
    return Math.sqrt(errors / squares);
  }

  /** Unaligned native memory and array offsets, and nothing written around the range. */
  @ParameterizedTest
  @EnumSource(DType.class)
  void staysInsideItsRanges(DType dtype) {
    int elements = 2 * dtype.blockSize();
    int bytes = (int) dtype.bytes(elements);
    RowCodec codec = RowCodec.of(dtype);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment segment = arena.allocate(bytes + 8, 64);
      segment.fill(GUARD);
      if (codec.canEncode()) {
        codec.encode(Arrays.copyOf(GgmlCases.floats("bell"), 515), 3, segment, 3, elements);
        for (long at = 0; at < segment.byteSize(); at++) {
          if (at < 3 || at >= 3 + bytes) {
            assertEquals(GUARD, segment.get(ValueLayout.JAVA_BYTE, at));
          }
        }
      }
      float[] values = new float[elements + 4];
      Arrays.fill(values, -77);
      codec.decode(segment, 3, values, 2, elements);
      float[] fromHeap = new float[elements];
      byte[] heap = segment.asSlice(3, bytes).toArray(ValueLayout.JAVA_BYTE);
      codec.decode(MemorySegment.ofArray(heap), 0, fromHeap, 0, elements);
      assertArrayEquals(fromHeap, Arrays.copyOfRange(values, 2, 2 + elements));
      float[] around = {values[0], values[1], values[elements + 2], values[elements + 3]};
      assertArrayEquals(new float[] {-77, -77, -77, -77}, around);
    }
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void refusesBadRanges(DType dtype) {
    int block = dtype.blockSize();
    int bytes = dtype.blockBytes();
    RowCodec codec = RowCodec.of(dtype);
    MemorySegment segment = MemorySegment.ofArray(new byte[bytes]);
    float[] values = new float[block];
    codec.decode(segment, 0, values, 0, block);
    codec.decode(segment, bytes, values, block, 0);
    String message =
        assertThrows(
                IndexOutOfBoundsException.class, () -> codec.decode(segment, 1, values, 0, block))
            .getMessage();
    assertTrue(message.contains(dtype.name()) && message.contains("segment has " + bytes), message);
    assertThrows(
        IndexOutOfBoundsException.class, () -> codec.decode(segment, -1, values, 0, block));
    assertThrows(
        IndexOutOfBoundsException.class,
        () -> codec.decode(segment, Long.MAX_VALUE, values, 0, block));
    assertThrows(IndexOutOfBoundsException.class, () -> codec.decode(segment, 0, values, 1, block));
    assertThrows(
        IndexOutOfBoundsException.class, () -> codec.decode(segment, 0, values, -1, block));
    assertThrows(IllegalArgumentException.class, () -> codec.decode(segment, 0, values, 0, -block));
    if (block > 1) {
      assertThrows(
          IllegalArgumentException.class, () -> codec.decode(segment, 0, values, 0, block - 1));
    }
    if (codec.canEncode()) {
      assertThrows(
          IndexOutOfBoundsException.class, () -> codec.encode(values, 0, segment, 1, block));
      assertThrows(
          IndexOutOfBoundsException.class, () -> codec.encode(values, 1, segment, 0, block));
    } else {
      String refusal =
          assertThrows(
                  UnsupportedOperationException.class,
                  () -> codec.encode(values, 0, segment, 0, block))
              .getMessage();
      assertEquals(
          dtype
              + " can be read but not written; choose one of"
              + " F32, F16, BF16, Q4_0, Q8_0, Q4_K, Q6_K",
          refusal);
    }
  }

  /** GGML would store an infinite scale, or codes of NaN, and lose the whole block silently. */
  @ParameterizedTest
  @EnumSource(names = {"Q4_0", "Q8_0", "Q4_K", "Q6_K"})
  void refusesWhatABlockCannotHold(DType dtype) {
    float[] bad = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY};
    for (float value : bad) {
      String message = refusal(dtype, value);
      assertTrue(message.startsWith("element 21 is " + value + "; " + dtype), message);
    }
    float[] large = {1e9f, -1e9f, 1e13f, 1e20f, -1e25f, 1e38f, Float.MAX_VALUE, -Float.MAX_VALUE};
    for (float value : large) {
      String message = refusal(dtype, value);
      assertTrue(message.contains("exceeds the F16 range"), message);
    }
  }

  private static String refusal(DType dtype, float value) {
    float[] values = GgmlCases.bell(1, 1);
    values[21] = value;
    MemorySegment bytes = MemorySegment.ofArray(new byte[(int) dtype.bytes(values.length)]);
    return assertThrows(
            IllegalArgumentException.class,
            () -> RowCodec.of(dtype).encode(values, 0, bytes, 0, values.length),
            () -> dtype + " took " + value)
        .getMessage();
  }

  /** Float subnormals take reciprocals beyond the float range; the block becomes zero. */
  @ParameterizedTest
  @EnumSource(names = {"Q4_0", "Q8_0", "Q4_K", "Q6_K"})
  void subnormalValuesBecomeZero(DType dtype) {
    for (float factor : new float[] {Float.MIN_VALUE, 0x1p-140f, 0x1p-126f}) {
      for (float value : roundTrip(dtype, GgmlCases.bell(17, factor))) {
        assertEquals(0f, Math.abs(value));
      }
    }
  }
}
