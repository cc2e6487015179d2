package io.attention4j.kvcache;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.Truncation;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.DeviceOptions;
import io.attention4j.engine.spi.KvWriteKernel;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.tensor.Storage;
import io.attention4j.engine.tensor.Tensor;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.Channels;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** One contract for every layout and codec. */
class KvCacheTest {
  private static final int KV_HEADS = 2;
  private static final int KEY_DIM = 5;
  private static final int VALUE_DIM = 3;
  private static final int MAX_TOKENS = 700;
  private static final LayerShape SHAPE =
      new LayerShape(
          0,
          4,
          KV_HEADS,
          KEY_DIM,
          VALUE_DIM,
          1,
          new Mask.Causal(),
          List.of(),
          List.of(),
          null,
          MAX_TOKENS);

  private KernelSelector kernels;
  private Arena arena;

  @BeforeEach
  void open() {
    kernels = KernelSelector.open("reference", DeviceOptions.DEFAULTS);
    arena = Arena.ofConfined();
  }

  @AfterEach
  void close() {
    arena.close();
    kernels.close();
  }

  private KvCache create(String option) {
    return new KvCaches().create(option, kernels).create(SHAPE);
  }

  /** Appends tokens [from, to) whose content is a function of the token's number. */
  private void append(KvCache cache, int from, int to, int seed) {
    int rows = to - from;
    float[] k = new float[rows * KV_HEADS * KEY_DIM];
    float[] v = new float[rows * KV_HEADS * VALUE_DIM];
    for (int token = from; token < to; token++) {
      SplittableRandom random = new SplittableRandom(31L * token + seed);
      for (int i = 0; i < KV_HEADS * KEY_DIM; i++) {
        k[(token - from) * KV_HEADS * KEY_DIM + i] = (float) random.nextDouble(-2, 2);
      }
      for (int i = 0; i < KV_HEADS * VALUE_DIM; i++) {
        v[(token - from) * KV_HEADS * VALUE_DIM + i] = (float) random.nextDouble(-2, 2);
      }
    }
    cache.append(
        Tensor.ofFloats(arena, k, rows, KV_HEADS, KEY_DIM),
        Tensor.ofFloats(arena, v, rows, KV_HEADS, VALUE_DIM),
        0,
        rows);
  }

  /** The stored bytes of every token of every head, in token order. */
  private static List<String> contents(KvCache cache) {
    PagedKv table = new PagedKv(KV_HEADS);
    table.reset(1);
    cache.fill(table, 0);
    List<String> tokens = new ArrayList<>();
    for (int head = 0; head < KV_HEADS; head++) {
      assertEquals(cache.length(), table.length(0, head));
      for (int i = 0; i < table.pageCount(0, head); i++) {
        KvPage page = table.page(0, head, i);
        for (int slot = 0; slot < page.length(); slot++) {
          StringBuilder text = new StringBuilder("position " + page.position(slot));
          bytes(text, page.keys(), page.keyOffset(), page.keyFormat(), page, page.keyDim(), slot);
          bytes(
              text,
              page.values(),
              page.valueOffset(),
              page.valueFormat(),
              page,
              page.valueDim(),
              slot);
          tokens.add(text.toString());
        }
      }
    }
    return tokens;
  }

  private static void bytes(
      StringBuilder text,
      Storage storage,
      long offset,
      KvFormat format,
      KvPage page,
      int dim,
      int slot) {
    MemorySegment memory = ((Storage.Host) storage).segment();
    for (KvFormat.Region region : format.regions(page.capacity(), dim)) {
      for (int i = 0; i < region.slotBytes(); i++) {
        long at = offset + region.offset() + (long) slot * region.slotBytes() + i;
        text.append(' ').append(memory.get(ValueLayout.JAVA_BYTE, at));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "paged:page=16+f32",
        "contiguous+f16",
        "paged:page=1+q8",
        "bf16",
        "q8",
        "q4",
        "file",
        "offload:slots=2"
      })
  void contentsDoNotDependOnHowTokensArrive(String option) {
    try (KvCache whole = create(option);
        KvCache pieces = create(option)) {
      append(whole, 0, 600, 1);
      for (int at = 0, n = 1; at < 600; at += n, n = Math.min(n + 3, 600 - at)) {
        append(pieces, at, at + n, 1);
      }
      assertEquals(contents(whole), contents(pieces));
      assertEquals(600, whole.length());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"f32", "f16", "bf16", "q8", "q4"})
  void contiguousAndPagedStoreTheSameBytes(String codec) {
    try (KvCache contiguous = create("contiguous+" + codec);
        KvCache paged = create(codec + "+paged:page=7")) {
      append(contiguous, 0, 300, 1);
      append(paged, 0, 300, 1);
      assertEquals(contents(contiguous), contents(paged));
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"paged:page=16+f32", "contiguous+f16", "q8", "q4", "file", "offload:slots=2"})
  void forksGoTheirOwnWay(String option) {
    try (KvCache original = create(option);
        KvCache alone = create(option);
        KvCache aloneForked = create(option)) {
      append(alone, 0, 120, 1);
      append(aloneForked, 0, 50, 1);
      append(aloneForked, 50, 120, 2);
      append(original, 0, 50, 1);
      try (KvCache fork = original.fork();
          KvCache second = original.fork()) {
        append(fork, 50, 120, 2);
        append(original, 50, 120, 1);
        assertEquals(contents(aloneForked), contents(fork));
        assertEquals(contents(alone), contents(original));
        assertEquals(50, second.length());
        second.truncateTo(33);
        append(second, 33, 50, 1);
        append(second, 50, 120, 1);
        assertEquals(contents(alone), contents(second));
      }
      assertEquals(contents(alone), contents(original));
    }
  }

  @Test
  void forkSharesPagesUntilWrittenAndGivesThemBack() {
    PageLayout layout = new PageLayout(16, KvFormat.F32, KEY_DIM, KvFormat.F32, VALUE_DIM);
    PagePool pool = new PagePool(kernels.device(), layout.valueOffset(), layout.bytes());
    KvWriteKernel writer = kernels.select(KvWriteKernel.class, KvFormat.F32);
    PagedKvCache cache =
        new PagedKvCache(kernels.device(), writer, pool, layout, KV_HEADS, MAX_TOKENS);
    append(cache, 0, 40, 1);
    assertEquals(3 * KV_HEADS, pool.held());
    KvCache fork = cache.fork();
    assertEquals(3 * KV_HEADS, pool.held());
    append(fork, 40, 41, 2);
    assertEquals(4 * KV_HEADS, pool.held());
    cache.close();
    assertEquals(3 * KV_HEADS, pool.held());
    fork.close();
    fork.close();
    assertEquals(0, pool.held());
  }

  @Test
  void aFailedAppendLeavesNoPagesBehind() {
    PageLayout layout = new PageLayout(16, KvFormat.F32, KEY_DIM, KvFormat.F32, VALUE_DIM);
    PagePool pool = new PagePool(kernels.device(), layout.valueOffset(), layout.bytes());
    KvWriteKernel writer = kernels.select(KvWriteKernel.class, KvFormat.F32);
    KvWriteKernel full =
        new KvWriteKernel() {
          @Override
          public Support supports(KvFormat format) {
            return writer.supports(format);
          }

          @Override
          public void write(Tensor k, Tensor v, int row, int count, int head, KvPage page, int at) {
            if (page.firstPosition() >= 48) {
              throw new IllegalStateException("full");
            }
            writer.write(k, v, row, count, head, page, at);
          }
        };
    try (PagedKvCache cache =
        new PagedKvCache(kernels.device(), full, pool, layout, KV_HEADS, MAX_TOKENS)) {
      append(cache, 0, 20, 1);
      List<String> before = contents(cache);
      assertThrows(IllegalStateException.class, () -> append(cache, 20, 60, 1));
      assertEquals(20, cache.length());
      assertEquals(2 * KV_HEADS, pool.held());
      assertEquals(before, contents(cache));
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "paged:page=16+f32",
        "contiguous+f16",
        "paged:page=32+q8",
        "q4",
        "file+q8",
        "paged:page=16+offload:slots=2"
      })
  void restoresWhatItSavedBitForBit(String option) throws IOException {
    ByteArrayOutputStream file = new ByteArrayOutputStream();
    try (KvCache saved = create(option);
        KvCache restored = create(option)) {
      append(saved, 0, 77, 1);
      saved.save(Channels.newChannel(file));
      append(restored, 0, 5, 9);
      restored.load(Channels.newChannel(new ByteArrayInputStream(file.toByteArray())));
      assertEquals(contents(saved), contents(restored));
      append(saved, 77, 90, 1);
      append(restored, 77, 90, 1);
      assertEquals(contents(saved), contents(restored));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"paged:page=16+f32", "contiguous+f16", "paged:page=4+offload:slots=1"})
  void aTornOrForeignSnapshotLeavesTheCacheEmpty(String option) throws IOException {
    ByteArrayOutputStream file = new ByteArrayOutputStream();
    try (KvCache saved = create(option);
        KvCache other = create("paged:page=16+bf16");
        KvCache restored = create(option)) {
      append(saved, 0, 20, 1);
      saved.save(Channels.newChannel(file));
      byte[] bytes = file.toByteArray();
      for (int length = 0; length < bytes.length; length += 13) {
        var torn = Channels.newChannel(new ByteArrayInputStream(bytes, 0, length));
        assertThrows(IOException.class, () -> restored.load(torn));
        assertEquals(0, restored.length());
      }
      var foreign = Channels.newChannel(new ByteArrayInputStream(bytes));
      IOException thrown = assertThrows(IOException.class, () -> other.load(foreign));
      assertTrue(thrown.getMessage().contains("key format"), thrown.getMessage());
      append(restored, 0, 20, 1);
      assertEquals(contents(saved), contents(restored));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"paged:page=16+f32", "contiguous+f16", "offload:slots=1"})
  void refusesMoreTokensThanItsContextAndStoresNothing(String option) {
    try (KvCache cache = create(option)) {
      append(cache, 0, MAX_TOKENS, 1);
      List<String> before = contents(cache);
      IllegalStateException thrown =
          assertThrows(
              IllegalStateException.class, () -> append(cache, MAX_TOKENS, MAX_TOKENS + 1, 1));
      assertTrue(thrown.getMessage().contains("700"), thrown.getMessage());
      assertEquals(before, contents(cache));
      assertInstanceOf(Truncation.Done.class, cache.truncateTo(0));
      assertEquals(0, cache.length());
      assertThrows(IllegalArgumentException.class, () -> cache.truncateTo(1));
    }
  }

  @Test
  void aClosedCacheSaysSo() {
    KvCache cache = create("contiguous");
    cache.close();
    assertThrows(IllegalStateException.class, () -> cache.truncateTo(0));
    assertThrows(IllegalStateException.class, () -> append(cache, 0, 1, 1));
  }

  @Test
  void optionsNameTheirMistake() {
    KvCaches caches = new KvCaches();
    record Case(String option, String expected) {}
    List<Case> cases =
        List.of(
            new Case("zip", "bf16, contiguous, duo"),
            new Case("f16+q8", "two codecs"),
            new Case("paged+contiguous", "two layouts"),
            new Case("window:keep=0.5+sink-window:keep=0.5", "two policies"),
            new Case("window", "needs a budget"),
            new Case("window:keep=0.5;sinks=4", "no setting 'sinks'"),
            new Case("window:keep=1.5", "outside"),
            new Case("window:tokens=8+contiguous", "use paged"),
            new Case("paged:page=0", "outside 1.."),
            new Case("paged:size=4", "no setting 'size'"),
            new Case("contiguous:page=4", "no setting 'page'"),
            new Case("file+memory", "two tiers"),
            new Case("file+contiguous", "use paged"),
            new Case("file:dir=/no/such/folder", "dir=/no/such/folder"),
            new Case("memory:dir=/tmp", "no setting 'dir'"),
            new Case("", "no name"));
    for (Case c : cases) {
      IllegalArgumentException thrown =
          assertThrows(IllegalArgumentException.class, () -> caches.create(c.option, kernels));
      assertTrue(thrown.getMessage().contains(c.expected), thrown.getMessage());
    }
  }

  @Test
  void estimatesWhatItTakes() {
    for (String option :
        List.of("paged:page=16+f32", "paged:page=16+q8", "paged:page=16+q4", "contiguous+f16")) {
      KvCache.Factory factory = new KvCaches().create(option, kernels);
      try (KvCache cache = factory.create(SHAPE)) {
        append(cache, 0, MAX_TOKENS, 1);
        assertEquals(cache.bytes(), factory.bytes(SHAPE, MAX_TOKENS), option);
      }
    }
  }
}
