package io.attention4j.testkit;

import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.KvWriteKernel;
import io.attention4j.engine.tensor.BFloat16;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * Pages after a write: plain formats bit for bit, Q8 within half a code, Q4 within half a step, and
 * no byte outside the written slots changed.
 */
public abstract class KvWriteKernelContract extends KernelContract {
  private static final int GUARD_BYTES = 48;

  private record Case(
      String name,
      KvFormat format,
      int keyDim,
      int valueDim,
      int row,
      int count,
      int head,
      int slot) {}

  /** For providers' test classes. */
  protected KvWriteKernelContract() {
    super("kv-write");
  }

  @TestFactory
  final Stream<DynamicTest> cases() {
    Map<String, KvFormat> formats =
        new TreeMap<>(
            Map.of(
                "f32",
                KvFormat.F32,
                "f16",
                KvFormat.F16,
                "bf16",
                KvFormat.BF16,
                "q8",
                KvFormat.Q8,
                "q4",
                KvFormat.Q4));
    List<Case> cases = new ArrayList<>();
    formats.forEach(
        (name, format) -> {
          for (int dim : new int[] {1, 7, 8, 13, 64, 128}) {
            cases.add(new Case(name + "-dim" + dim, format, dim, dim, 0, 5, 0, 0));
          }
          cases.add(new Case(name + "-dims-differ", format, 64, 40, 1, 3, 1, 2));
          cases.add(new Case(name + "-last-slot", format, 40, 40, 4, 1, 2, 8));
          cases.add(new Case(name + "-fills-the-page", format, 40, 40, 0, 9, 0, 0));
          cases.add(new Case(name + "-nothing", format, 40, 40, 2, 0, 0, 9));
        });
    return cases.stream().map(c -> testCase(c.name, KvWriteKernel.class, c.format, () -> check(c)));
  }

  private static float[] input(Case c, int dim, String which) {
    CaseRandom random = new CaseRandom(c.name + "/" + which);
    float[] values = random.floats((c.row + c.count + 1) * 3 * dim, 3);
    // One vector of zeros, whose scale is 0; large and tiny values, which half floats round away.
    for (int i = 0; i < values.length; i++) {
      if (i / dim % 4 == 3) {
        values[i] = 0;
      } else if (random.chance(0.05)) {
        values[i] *= random.chance(0.5) ? 1e4f : 1e-6f;
      }
    }
    return values;
  }

  private void check(Case c) {
    int capacity = 9;
    long keyBytes = c.format.pageBytes(capacity, c.keyDim);
    long valueBytes = c.format.pageBytes(capacity, c.valueDim);
    float[] k = input(c, c.keyDim, "k");
    float[] v = input(c, c.valueDim, "v");
    Device on = device();
    try (Device.TensorArena arena = on.newArena();
        Arena host = Arena.ofConfined()) {
      Tensor keys = arena.allocate(DType.I8, keyBytes + 2 * GUARD_BYTES);
      Tensor values = arena.allocate(DType.I8, valueBytes + 2 * GUARD_BYTES);
      MemorySegment keyImage = host.allocate(keys.byteSize(), 64).fill((byte) 0x5a);
      MemorySegment valueImage = host.allocate(values.byteSize(), 64).fill((byte) 0x5a);
      on.upload(keyImage, keys);
      on.upload(valueImage, values);
      KvPage page =
          new KvPage(
              capacity,
              keys.storage(),
              keys.byteOffset() + GUARD_BYTES,
              c.format,
              c.keyDim,
              values.storage(),
              values.byteOffset() + GUARD_BYTES,
              c.format,
              c.valueDim);
      int rows = c.row + c.count + 1;
      kernel(on, KvWriteKernel.class)
          .write(
              GuardedFloats.of(on, arena, k, rows, 3, c.keyDim).tensor(),
              GuardedFloats.of(on, arena, v, rows, 3, c.valueDim).tensor(),
              c.row,
              c.count,
              c.head,
              page,
              c.slot);
      if (page.length() != 0) {
        throw new AssertionError("the kernel changed the page's length to " + page.length());
      }
      on.download(keys, keyImage);
      on.download(values, valueImage);
      requireSlots("keys", c, k, c.keyDim, capacity, keyImage);
      requireSlots("values", c, v, c.valueDim, capacity, valueImage);
    }
  }

  private static void requireSlots(
      String what, Case c, float[] rows, int dim, int capacity, MemorySegment image) {
    MemorySegment page = image.asSlice(GUARD_BYTES);
    boolean[] written = new boolean[Math.toIntExact(image.byteSize())];
    long scales = KvFormat.Q8.pageBytes(capacity, dim) - capacity * 4L;
    for (int i = 0; i < c.count; i++) {
      int slot = c.slot + i;
      float[] vector = new float[dim];
      System.arraycopy(rows, ((c.row + i) * 3 + c.head) * dim, vector, 0, dim);
      for (int d = 0; d < dim; d++) {
        long element = (long) slot * dim + d;
        switch (c.format) {
          case KvFormat.Plain plain -> requirePlain(what, plain.dtype(), page, element, vector[d]);
          case KvFormat.Q8 q8 -> requireCode(what, page, element, vector, d, scales + slot * 4L);
          case KvFormat.Q4 q4 -> requireStep(what, page, capacity, slot, vector, d);
          default -> throw new IllegalArgumentException(c.format + " is not written by slots");
        }
      }
      for (KvFormat.Region region : c.format.regions(capacity, dim)) {
        int from = (int) (GUARD_BYTES + region.offset() + (long) slot * region.slotBytes());
        Arrays.fill(written, from, from + region.slotBytes(), true);
      }
    }
    for (int at = 0; at < written.length; at++) {
      if (!written[at] && image.get(ValueLayout.JAVA_BYTE, at) != 0x5a) {
        throw new AssertionError(
            what
                + ": byte "
                + (at - GUARD_BYTES)
                + " of the page is outside the written slots but changed");
      }
    }
  }

  private static void requirePlain(
      String what, DType type, MemorySegment page, long element, float value) {
    int expected =
        switch (type) {
          case F16 -> Float.floatToFloat16(value);
          case BF16 -> BFloat16.fromFloat(value);
          default -> Float.floatToRawIntBits(value);
        };
    int actual =
        type == DType.F32 ? page.get(Tensor.INT, element * 4) : page.get(Tensor.SHORT, element * 2);
    if (actual != expected) {
      throw new AssertionError(
          what
              + ": element "
              + element
              + " has bits "
              + Integer.toHexString(actual)
              + " instead of "
              + Integer.toHexString(expected)
              + " for "
              + value);
    }
  }

  private static void requireCode(
      String what, MemorySegment page, long element, float[] vector, int d, long scaleAt) {
    float max = 0;
    for (float value : vector) {
      max = Math.max(max, Math.abs(value));
    }
    float scale = page.get(Tensor.FLOAT, scaleAt);
    if (!(Math.abs(scale - max / 127) <= Math.ulp(max / 127))) {
      throw new AssertionError(what + ": scale " + scale + " instead of " + max / 127);
    }
    double stored = (double) page.get(ValueLayout.JAVA_BYTE, element) * scale;
    // Half a code, and the rounding of the quotient.
    if (!(Math.abs(stored - vector[d]) <= scale * 0.50001)) {
      throw new AssertionError(
          what + ": element " + element + " reads " + stored + " instead of " + vector[d]);
    }
  }

  private static void requireStep(
      String what, MemorySegment page, int capacity, int slot, float[] vector, int d) {
    int dim = vector.length;
    int first = d / 32 * 32;
    int count = Math.min(32, dim - first);
    int half = (count + 1) / 2;
    double low = vector[first];
    double high = vector[first];
    for (int i = first; i < first + count; i++) {
      low = Math.min(low, vector[i]);
      high = Math.max(high, vector[i]);
    }
    int slotCodes = dim / 32 * 16 + (dim % 32 + 1) / 2;
    long codes = (long) slot * slotCodes + first / 2;
    long groups = (dim + 31) / 32;
    long parameters = (capacity * slotCodes + 3L) / 4 * 4 + (slot * groups + first / 32) * 4;
    double step = Float.float16ToFloat(page.get(Tensor.SHORT, parameters));
    double minimum = Float.float16ToFloat(page.get(Tensor.SHORT, parameters + 2));
    // The range over 15, and one rounding of the minimum and of the step to half precision.
    double most = (high - low + Math.abs(low) * 0x1p-10 + 0x1p-24) / 15 * (1 + 0x1p-10) + 0x1p-24;
    if (!(step >= 0 && step <= most)) {
      throw new AssertionError(what + ": step " + step + " is outside 0.." + most);
    }
    int pair = page.get(ValueLayout.JAVA_BYTE, codes + (d - first) % half) & 0xff;
    double stored = (d - first < half ? pair & 15 : pair >> 4) * step + minimum;
    // Half a step, and the rounding of the quotient.
    if (!(Math.abs(stored - vector[d]) <= step * 0.50001)) {
      throw new AssertionError(
          what + ": element " + d + " reads " + stored + " instead of " + vector[d]);
    }
  }
}
