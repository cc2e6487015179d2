package io.attention4j.kvcache;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.DeviceOptions;
import io.attention4j.engine.tensor.Storage;
import io.attention4j.engine.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is in memory, what is fetched, and what happens when the folder fails. */
class OffloadedKvCacheTest {
  private static final int KV_HEADS = 2;
  private static final int DIM = 8;
  private static final int PAGE = 4;
  private static final int SLOTS = 5;
  private static final String OPTION = "offload:dir=DIR;slots=5+f32+paged:page=4";

  @TempDir Path folder;
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

  private static LayerShape shape(int layer) {
    return new LayerShape(
        layer, 4, KV_HEADS, DIM, DIM, 1, new Mask.Causal(), List.of(), List.of(), null, 4096);
  }

  private KvCache.Factory factory(String option) {
    return new KvCaches().create(option.replace("DIR", folder.toString()), kernels);
  }

  /** Appends tokens; token t of head h has keys t + h / 10 and values -t. */
  private void append(KvCache cache, int count) {
    float[] k = new float[count * KV_HEADS * DIM];
    float[] v = new float[k.length];
    for (int i = 0; i < k.length; i++) {
      long token = cache.length() + i / (KV_HEADS * DIM);
      k[i] = token + i / DIM % KV_HEADS / 10f;
      v[i] = -token;
    }
    cache.append(
        Tensor.ofFloats(arena, k, count, KV_HEADS, DIM),
        Tensor.ofFloats(arena, v, count, KV_HEADS, DIM),
        0,
        count);
  }

  private static float key(KvPage page, int slot) {
    MemorySegment memory = ((Storage.Host) page.keys()).segment();
    return memory.get(Tensor.FLOAT, page.keyOffset() + (long) slot * DIM * Float.BYTES);
  }

  /** The keys of a page are what was appended, or NaN where they are not in memory. */
  private static void assertPage(PagedKv table, int head, int page, boolean present) {
    KvPage view = table.page(0, head, page);
    assertEquals((long) page * PAGE, view.firstPosition());
    for (int slot = 0; slot < view.length(); slot++) {
      float expected = present ? page * PAGE + slot + head / 10f : Float.NaN;
      assertEquals(expected, key(view, slot));
    }
  }

  private static BitSet pick(SplittableRandom random, int pages, int count) {
    BitSet picked = new BitSet();
    while (picked.cardinality() < Math.min(count, pages)) {
      picked.set(random.nextInt(pages));
    }
    return picked;
  }

  /** For random choices: memory holds the choice, and what is fetched is new minus old. */
  @Test
  void memoryHoldsTheChoiceAndLoadsAreTheDifference() {
    KvCache.Factory factory = factory(OPTION);
    SplittableRandom random = new SplittableRandom(5);
    PagedKv table = new PagedKv(KV_HEADS);
    table.reset(1);
    try (OffloadedKvCache cache = (OffloadedKvCache) factory.create(shape(0))) {
      append(cache, 50);
      long blockBytes = Offload.blockBytes(cacheLayout());
      BitSet[] before = {new BitSet(), new BitSet()};
      long most = 0;
      for (int step = 0; step < 200; step++) {
        append(cache, 1);
        cache.fillFrom(table, 0, cache.length() - 1);
        int full = (int) (cache.length() / PAGE);
        long fetched = factory.usage().fetchedBytes();
        long expected = 0;
        for (int head = 0; head < KV_HEADS; head++) {
          before[head] = cache.resident(head);
        }
        BitSet[] chosen = new BitSet[KV_HEADS];
        for (int head = 0; head < KV_HEADS; head++) {
          chosen[head] = pick(random, full, SLOTS);
          cache.prefetch(head, chosen[head], PAGE);
          BitSet fresh = (BitSet) chosen[head].clone();
          fresh.andNot(before[head]);
          expected += fresh.cardinality();
          most = step == 0 ? 0 : Math.max(most, fresh.cardinality());
        }
        cache.fillChosen(table, 0);
        assertEquals(expected * blockBytes, factory.usage().fetchedBytes() - fetched);
        for (int head = 0; head < KV_HEADS; head++) {
          assertEquals(chosen[head], cache.resident(head));
          for (int page = 0; page < table.pageCount(0, head); page++) {
            assertPage(table, head, page, page >= full || chosen[head].get(page));
          }
        }
      }
      assertEquals(most, factory.usage().mostFetched());
      assertEquals(200, factory.usage().steps());
      assertEquals(2 * 62 * blockBytes, factory.usage().storedBytes());
    }
  }

  private static PageLayout cacheLayout() {
    return new PageLayout(
        PAGE, CacheOption.CODECS.get("f32"), DIM, CacheOption.CODECS.get("f32"), DIM);
  }

  /** A layer's excess goes when another layer steps; memory stays bounded whatever the length. */
  @Test
  void memoryIsBoundedWhileTheFileGrows() {
    KvCache.Factory factory = factory(OPTION);
    PagedKv table = new PagedKv(KV_HEADS);
    table.reset(1);
    try (KvCache first = factory.create(shape(0));
        KvCache second = factory.create(shape(1))) {
      long most = 0;
      for (int step = 0; step < 40; step++) {
        for (KvCache cache : List.of(first, second)) {
          append(cache, 16);
          cache.fill(table, 0);
          for (int page = 0; page < table.pageCount(0, 1); page++) {
            assertPage(table, 1, page, true);
          }
          most = Math.max(most, factory.usage().memoryBytes());
        }
      }
      long blockBytes = Offload.blockBytes(cacheLayout());
      long layer = KV_HEADS * 160 * blockBytes;
      assertEquals(2 * layer, factory.usage().storedBytes());
      assertTrue(factory.usage().fileBytes() >= 2 * layer);
      // One layer, the slots of the other, and slabs that are not full.
      assertTrue(most < layer + KV_HEADS * (SLOTS + 4) * blockBytes + (1 << 18), most + " bytes");
      assertTrue(factory.usage().fetchedBytes() > 0);
    }
  }

  /** The simple way fetches all full pages that a step chooses, whatever is in memory. */
  @Test
  void fetchingEverythingReadsTheSameKeys() {
    KvCache.Factory factory = factory(OPTION.replace("slots=5", "slots=5;fetch=all;direct=no"));
    PagedKv table = new PagedKv(KV_HEADS);
    table.reset(1);
    try (KvCache cache = factory.create(shape(0))) {
      append(cache, 42);
      BitSet chosen = new BitSet();
      chosen.set(2, 6);
      for (int step = 0; step < 3; step++) {
        append(cache, 1);
        cache.fillFrom(table, 0, cache.length() - 1);
        long fetched = factory.usage().fetchedBytes();
        cache.prefetch(0, chosen, PAGE);
        cache.prefetch(1, chosen, PAGE);
        cache.fillChosen(table, 0);
        assertEquals(
            2 * 4 * Offload.blockBytes(cacheLayout()), factory.usage().fetchedBytes() - fetched);
        for (int page = 2; page < 6; page++) {
          assertPage(table, 0, page, true);
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {OPTION, "file:dir=DIR+f32+paged:page=4"})
  void aRemovedFolderIsOneErrorAndTheCacheGoesOn(String option) throws IOException {
    Path removed = Files.createDirectory(folder.resolve("removed"));
    KvCache.Factory factory =
        new KvCaches().create(option.replace("DIR", removed.toString()), kernels);
    PagedKv table = new PagedKv(KV_HEADS);
    table.reset(1);
    try (KvCache cache = factory.create(shape(0))) {
      boolean offload = option.startsWith("offload");
      if (offload) {
        append(cache, 3);
      }
      long before = cache.length();
      Files.delete(removed);
      IllegalStateException e = assertThrows(IllegalStateException.class, () -> append(cache, 12));
      assertTrue(e.getMessage().contains(removed.toString()), e.getMessage());
      assertTrue(e.getMessage().contains("--kv-cache"), e.getMessage());
      assertEquals(before, cache.length());
      Files.createDirectory(removed);
      append(cache, 12);
      cache.fill(table, 0);
      for (int page = 0; page < table.pageCount(0, 0); page++) {
        assertPage(table, 0, page, true);
      }
      try (Stream<Path> files = Files.list(removed)) {
        assertEquals(List.of(), files.toList());
      }
    }
    assertEquals(0, factory.usage().fileBytes());
    assertEquals(0, factory.usage().memoryBytes());
  }

  /** A file that a dead process left under its name is deleted when the folder is next used. */
  @Test
  void filesOfDeadProcessesAreDeleted() throws IOException {
    long dead = 1L << 40; // no system counts so far
    Path stale = Files.createFile(folder.resolve("attention4j-kv-" + dead + "-1.tmp"));
    Path own =
        Files.createFile(
            folder.resolve("attention4j-kv-" + ProcessHandle.current().pid() + "-x.tmp"));
    Path foreign = Files.createFile(folder.resolve("attention4j-kv-other-1.tmp"));
    factory("file:dir=DIR");
    try (Stream<Path> files = Files.list(folder)) {
      assertEquals(
          Map.of(own, true, foreign, true),
          files.collect(Collectors.toMap(path -> path, path -> true)));
    }
    assertTrue(Files.notExists(stale));
  }

  @Test
  void optionsNameTheirMistake() {
    Map<String, String> cases =
        Map.of(
            "offload:slots=0", "slots=0",
            "offload:direct=perhaps", "direct=perhaps",
            "offload:fetch=some", "known are difference, all",
            "offload:size=3", "no setting 'size'",
            "offload:dir=DIR/none", "make it first",
            "offload+window:tokens=9", "drops tokens",
            "offload+contiguous", "use paged");
    cases.forEach(
        (option, expected) -> {
          IllegalArgumentException e =
              assertThrows(IllegalArgumentException.class, () -> factory(option));
          assertTrue(e.getMessage().contains(expected), e.getMessage());
        });
    assertEquals("nosa:gate=file", factory("nosa:gate=file").attention().orElseThrow());
  }

  /** Memory larger than a buffer goes in pieces; here with pieces of 7 bytes. */
  @Test
  void memoryOfAnySizeIsWrittenAndReadInPieces() throws IOException {
    MemorySegment source = arena.allocate(100);
    for (int i = 0; i < 100; i++) {
      source.set(java.lang.foreign.ValueLayout.JAVA_BYTE, i, (byte) (i * 3));
    }
    Path file = folder.resolve("pieces");
    try (WritableByteChannel out =
        Files.newByteChannel(Files.createFile(file), java.nio.file.StandardOpenOption.WRITE)) {
      KvSnapshot.write(out, source, 7);
    }
    assertEquals(100, Files.size(file));
    MemorySegment target = arena.allocate(100);
    try (ReadableByteChannel in = Files.newByteChannel(file)) {
      KvSnapshot.read(in, target, 7);
    }
    assertEquals(-1, source.mismatch(target));
    try (ReadableByteChannel in = Files.newByteChannel(file)) {
      assertThrows(IOException.class, () -> KvSnapshot.read(in, arena.allocate(101), 7));
    }
  }
}
