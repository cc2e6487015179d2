package io.attention4j.engine.reference;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.attention.GroupedPages;
import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.KvFormat.Grouped;
import io.attention4j.engine.attention.KvFormat.Grouped.Axis;
import io.attention4j.engine.tensor.Storage;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class GroupedPagesTest {
  private static final long AT = 128;

  /** A page to fill: a format, a capacity, filled slots and elements. */
  record Page(Grouped format, int capacity, int count, int dim) {
    float[] stored(float[] rows) {
      try (Arena arena = Arena.ofConfined()) {
        float[] read = new float[capacity * dim];
        GroupedPages.decode(format, write(rows, arena), AT, capacity, dim, 0, count, read, 0);
        return read;
      }
    }

    /** Everything that is not written reads as NaN. */
    MemorySegment write(float[] rows, Arena arena) {
      long bytes = AT + format.pageBytes(capacity, dim) + 64;
      MemorySegment memory = arena.allocate(bytes, 64).fill((byte) 0xff);
      GroupedPages.encode(format, rows, count, capacity, dim, memory, AT);
      for (long i = 0; i < AT; i++) {
        assertEquals(-1, memory.get(ValueLayout.JAVA_BYTE, i));
      }
      for (long i = bytes - 64; i < bytes; i++) {
        assertEquals(-1, memory.get(ValueLayout.JAVA_BYTE, i));
      }
      return memory;
    }

    float[] random(double magnitude) {
      SplittableRandom random = new SplittableRandom(hashCode());
      float[] rows = new float[count * dim];
      for (int i = 0; i < rows.length; i++) {
        rows[i] = (float) (magnitude * random.nextDouble(-1, 1));
      }
      return rows;
    }

    /** First and last element of the group of an element, as {slot, element} pairs. */
    List<Integer> group(int slot, int element) {
      boolean channels = format.axis() == Axis.CHANNEL;
      int column = channels ? slot : element;
      int first = column / format.group() * format.group();
      int end = Math.min(first + format.group(), channels ? count : dim);
      List<Integer> indices = new ArrayList<>();
      for (int c = first; c < end; c++) {
        indices.add(channels ? c * dim + element : slot * dim + c);
      }
      return indices;
    }
  }

  static Stream<Page> pages() {
    List<Page> pages = new ArrayList<>();
    for (int bits : new int[] {2, 4, 8}) {
      for (Axis axis : Axis.values()) {
        pages.add(new Page(new Grouped(bits, axis, 32), 64, 64, 64));
        pages.add(new Page(new Grouped(bits, axis, 64), 64, 64, 13));
        pages.add(new Page(new Grouped(bits, axis, 128), 256, 256, 128));
        pages.add(new Page(new Grouped(bits, axis, 32), 48, 37, 80));
        pages.add(new Page(new Grouped(bits, axis, 128), 9, 1, 1));
      }
    }
    return pages.stream();
  }

  @ParameterizedTest
  @MethodSource("pages")
  void everyElementIsWithinHalfAStep(Page page) {
    for (double magnitude : new double[] {0, 1e-7, 3, 6e4}) {
      float[] rows = page.random(magnitude);
      float[] read = page.stored(rows);
      for (int i = 0; i < rows.length; i++) {
        double low = Double.POSITIVE_INFINITY;
        double high = Double.NEGATIVE_INFINITY;
        for (int other : page.group(i / page.dim, i % page.dim)) {
          low = Math.min(low, rows[other]);
          high = Math.max(high, rows[other]);
        }
        // The minimum is rounded down and the step up to half precision.
        double minimum = low - Math.max(0x1p-24, Math.abs(low) * 0x1p-10);
        double step = (high - minimum) / page.format.mostCode();
        step += Math.max(0x1p-24, step * 0x1p-10);
        double bound = step / 2 * (1 + 1e-5) + Math.ulp(rows[i]);
        assertTrue(
            Math.abs(rows[i] - read[i]) <= bound, rows[i] + " reads as " + read[i] + " at " + i);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("pages")
  void theOracleReadsTheSame(Page page) {
    try (Arena arena = Arena.ofConfined()) {
      float[] rows = page.random(3);
      float[] read = page.stored(rows);
      double[] oracle = new double[page.capacity * page.dim];
      HostPages.decode(
          new Storage.Host(page.write(rows, arena)),
          AT,
          page.format,
          page.capacity,
          page.dim,
          page.count,
          oracle,
          0);
      for (int i = 0; i < rows.length; i++) {
        assertEquals(oracle[i], read[i], 1e-6 * Math.abs(oracle[i]) + 1e-9);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("pages")
  void slotsAreReadAlone(Page page) {
    try (Arena arena = Arena.ofConfined()) {
      float[] rows = page.random(3);
      float[] all = page.stored(rows);
      MemorySegment memory = page.write(rows, arena);
      float[] one = new float[page.dim + 2];
      for (int slot = 0; slot < page.count; slot++) {
        GroupedPages.decode(page.format, memory, AT, page.capacity, page.dim, slot, 1, one, 1);
        for (int d = 0; d < page.dim; d++) {
          assertEquals(all[slot * page.dim + d], one[1 + d]);
        }
        assertEquals(0, one[0]);
        assertEquals(0, one[page.dim + 1]);
      }
    }
  }

  /** Values on at most 2^bits equally spaced levels survive, and quantising them again too. */
  @ParameterizedTest
  @MethodSource("pages")
  void levelsSurviveExactly(Page page) {
    SplittableRandom random = new SplittableRandom(5);
    float[] rows = new float[page.count * page.dim];
    for (int i = 0; i < rows.length; i++) {
      rows[i] = -1.5f + 0.25f * random.nextInt(page.format.mostCode() + 1);
    }
    for (int i = 0; i < rows.length; i++) {
      List<Integer> group = page.group(i / page.dim, i % page.dim);
      rows[group.getFirst()] = -1.5f;
      if (group.size() > 1) {
        rows[group.getLast()] = -1.5f + 0.25f * page.format.mostCode();
      }
    }
    float[] read = page.stored(rows);
    float[] again = page.stored(read);
    for (int i = 0; i < rows.length; i++) {
      assertEquals(rows[i], read[i]);
      assertEquals(rows[i], again[i]);
    }
  }

  @ParameterizedTest
  @MethodSource("pages")
  void whatIsNotFiniteReadsAsNaNAndTouchesItsGroupAlone(Page page) {
    for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY, -1e6f}) {
      float[] rows = page.random(3);
      float[] before = page.stored(rows);
      int at = rows.length / 2;
      rows[at] = bad;
      float[] read = page.stored(rows);
      List<Integer> group = page.group(at / page.dim, at % page.dim);
      for (int i = 0; i < rows.length; i++) {
        if (group.contains(i)) {
          assertTrue(Float.isNaN(read[i]), bad + ": element " + i + " reads as " + read[i]);
        } else {
          assertEquals(before[i], read[i]);
        }
      }
    }
  }

  @Test
  void bytesArePaperBytes() {
    // KIVI: bits + 32 / group per number.
    assertEquals(64 * 64 * 3 / 8, new Grouped(2, Axis.CHANNEL, 32).pageBytes(64, 64));
    assertEquals(64 * 64 * 5 / 8, new Grouped(4, Axis.TOKEN, 32).pageBytes(64, 64));
    assertEquals(64 * 64 * 17 / 16, new Grouped(8, Axis.TOKEN, 64).pageBytes(64, 64));
  }

  @Test
  void refusesWidthsAndGroupsThatHaveNoKernel() {
    assertThrows(IllegalArgumentException.class, () -> new Grouped(3, Axis.TOKEN, 32));
    assertThrows(IllegalArgumentException.class, () -> new Grouped(4, Axis.TOKEN, 48));
    KvFormat.Staircase stairs =
        new KvFormat.Staircase(
            (KvFormat.Plain) KvFormat.F16, List.of(new Grouped(2, Axis.TOKEN, 32)));
    assertTrue(stairs.admits(KvFormat.F16));
    assertTrue(stairs.admits(new Grouped(2, Axis.TOKEN, 32)));
    assertTrue(!stairs.admits(new Grouped(4, Axis.TOKEN, 32)) && !stairs.admits(KvFormat.F32));
  }
}
