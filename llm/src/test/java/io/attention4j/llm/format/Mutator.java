package io.attention4j.llm.format;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.random.RandomGenerator;

/** Damages files in ways that parsers get wrong: lengths, counts, splices, cuts. */
public final class Mutator {
  private static final long[] LONGS = {
    0,
    1,
    -1,
    2,
    3,
    7,
    8,
    31,
    32,
    255,
    256,
    65535,
    65536,
    1 << 20,
    1L << 31,
    (1L << 31) - 1,
    1L << 32,
    (1L << 32) - 1,
    1L << 40,
    1L << 60,
    1L << 61,
    1L << 62,
    Long.MAX_VALUE,
    Long.MIN_VALUE,
    Long.MAX_VALUE - 31
  };

  private final RandomGenerator random;

  /** A mutator whose choices come from the generator alone. */
  public Mutator(RandomGenerator random) {
    this.random = random;
  }

  /** A damaged copy: one to six mutations. */
  public byte[] mutate(byte[] original) {
    byte[] bytes = original.clone();
    int count = 1 + random.nextInt(random.nextInt(4) == 0 ? 6 : 2);
    for (int i = 0; i < count && bytes.length > 0; i++) {
      bytes = mutateOnce(bytes);
    }
    return bytes;
  }

  private byte[] mutateOnce(byte[] bytes) {
    int at = random.nextInt(bytes.length);
    ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    switch (random.nextInt(9)) {
      case 0 -> bytes[at] = (byte) random.nextInt(256);
      case 1 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
      case 2 -> bytes[at] += (byte) (random.nextBoolean() ? 1 : -1);
      case 3 -> {
        if (bytes.length >= 8) {
          long value = LONGS[random.nextInt(LONGS.length)];
          buffer.putLong(Math.min(at, bytes.length - 8), value);
        }
      }
      case 4 -> {
        if (bytes.length >= 4) {
          int value = (int) LONGS[random.nextInt(LONGS.length)];
          buffer.putInt(Math.min(at, bytes.length - 4), value);
        }
      }
      case 5 -> bytes = Arrays.copyOf(bytes, at);
      case 6 -> bytes = splice(bytes, at, 0, chunk(bytes)); // inserts a copy of another place
      case 7 ->
          bytes = splice(bytes, at, Math.min(random.nextInt(40), bytes.length - at), chunk(bytes));
      default ->
          bytes = splice(bytes, at, Math.min(random.nextInt(40), bytes.length - at), digits());
    }
    return bytes;
  }

  private byte[] chunk(byte[] bytes) {
    int from = random.nextInt(bytes.length);
    return Arrays.copyOfRange(bytes, from, Math.min(bytes.length, from + random.nextInt(64)));
  }

  // For JSON: numbers, brackets and quotes in a row.
  private byte[] digits() {
    String alphabet = "0123456789-.eE[]{}\",:\\u \u0000é";
    StringBuilder text = new StringBuilder();
    for (int i = random.nextInt(24); i > 0; i--) {
      text.append(alphabet.charAt(random.nextInt(alphabet.length())));
    }
    return text.toString().getBytes(java.nio.charset.StandardCharsets.UTF_8);
  }

  private static byte[] splice(byte[] bytes, int at, int removed, byte[] inserted) {
    byte[] result = new byte[bytes.length - removed + inserted.length];
    System.arraycopy(bytes, 0, result, 0, at);
    System.arraycopy(inserted, 0, result, at, inserted.length);
    System.arraycopy(
        bytes, at + removed, result, at + inserted.length, bytes.length - at - removed);
    return result;
  }
}
