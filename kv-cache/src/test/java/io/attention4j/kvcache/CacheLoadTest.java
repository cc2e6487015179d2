package io.attention4j.kvcache;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.KvUsage;
import io.attention4j.engine.operator.LayerInputs;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.Truncation;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.DeviceOptions;
import io.attention4j.engine.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Many sessions: what they share is measured, and nothing is left behind. The property {@code
 * attention4j.sessions} sets how many sessions each kind of cache simulates; without it each runs
 * for half a second.
 */
class CacheLoadTest {
  private static final int KV_HEADS = 2;
  private static final int DIM = 8;
  private static final int ROWS = 16;

  /** Sessions that quantise have pages of 64 tokens to fill. */
  private static final int LONG_ROWS = 96;

  private static final long DEFAULT_NANOS = 500_000_000;
  private static final LayerShape SHAPE =
      new LayerShape(
          0, 4, KV_HEADS, DIM, DIM, 1, new Mask.Causal(), List.of(), List.of(), null, 4096);

  @TempDir Path folder;
  @TempDir static Path lists;
  private static Path heads;
  private KernelSelector kernels;
  private Arena arena;
  private Tensor q;
  private Tensor kv;

  @BeforeAll
  static void writeHeads() throws IOException {
    heads = Files.writeString(lists.resolve("heads"), "[induction]\n0 1\n[echo]\n0 0\n");
  }

  @BeforeEach
  void open() {
    kernels = KernelSelector.open("reference", DeviceOptions.DEFAULTS);
    arena = Arena.ofConfined();
    float[] content = new float[LONG_ROWS * 4 * DIM];
    SplittableRandom random = new SplittableRandom(11);
    for (int i = 0; i < content.length; i++) {
      content[i] = (float) random.nextDouble(-1, 1);
    }
    q = Tensor.ofFloats(arena, content, LONG_ROWS, 4, DIM);
    kv = Tensor.ofFloats(arena, content, 2 * LONG_ROWS, KV_HEADS, DIM);
  }

  @AfterEach
  void close() {
    arena.close();
    kernels.close();
  }

  private KvCache.Factory factory(String option) {
    String found = option.replace("DIR/heads", heads.toString()).replace("DIR", folder.toString());
    return new KvCaches().create(found, kernels);
  }

  private void append(KvCache cache, int count) {
    AttentionBatch batch = new AttentionBatch();
    batch.add(count, cache.length());
    cache.append(kv, kv, 0, count);
    LayerInputs in = new LayerInputs();
    in.batch(batch);
    in.layer(null, q, kv, kv, null);
    cache.attended(in, 0, null);
  }

  /** A thousand forks of a prompt of 2048 tokens hold its pages once, and one page of their own. */
  @Test
  void aThousandForksShareThePagesOfTheirPrompt() {
    KvCache.Factory factory = factory("f16+paged:page=64");
    int forks = 1000;
    try (KvCache prompt = factory.create(SHAPE)) {
      while (prompt.length() < 2048) {
        append(prompt, ROWS);
      }
      final long alone = factory.usage().memoryBytes();
      assertTrue(alone >= prompt.bytes() && alone < 1.05 * prompt.bytes() + (1 << 18));
      List<KvCache> sessions = new ArrayList<>();
      for (int i = 0; i < forks; i++) {
        sessions.add(prompt.fork());
      }
      assertEquals(alone, factory.usage().memoryBytes());
      sessions.forEach(session -> append(session, 1));
      long live = factory.usage().memoryBytes();
      long ownPages = forks * factory.bytes(SHAPE, 1);
      long counted = sessions.stream().mapToLong(KvCache::bytes).sum();
      System.out.printf(
          Locale.ROOT,
          "%d forks of a prompt of 2048 tokens: %.2f MiB live (prompt %.2f MiB), %.1f MiB if each"
              + " had its own%n",
          forks,
          live / 1048576.0,
          alone / 1048576.0,
          counted / 1048576.0);
      assertTrue(live >= alone + ownPages && live <= 1.02 * (alone + ownPages) + (1 << 18));
      assertTrue(counted > 15 * live, counted + " bytes counted, " + live + " live");
      sessions.forEach(KvCache::close);
    }
    assertEquals(0, factory.usage().memoryBytes());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "f16+paged:page=4",
        "q8+contiguous",
        "window:tokens=6+paged:page=4",
        "f16+paged:page=4+file:dir=DIR",
        "f16+paged:page=4+offload:dir=DIR;slots=1",
        "sink-window:tokens=9;sinks=2+q4+paged:page=2",
        "razor:file=DIR/heads;induction=0;echo=0;buffer=6;compression=8+q8+paged:page=4",
        "saq:levels=16@0,4@16,2"
      })
  void shortSessionsLeaveNothingBehind(String option) throws IOException {
    KvCache.Factory factory = factory(option);
    long asked = Long.getLong("attention4j.sessions", 0);
    int rows = option.startsWith("saq") ? LONG_ROWS : ROWS;
    simulate(factory, 200, rows, 1); // class loading and warming up open files of their own
    long filesBefore = openFiles();
    long start = System.nanoTime();
    long sessions = 0;
    long most = 0;
    while (asked > 0 ? sessions < asked : System.nanoTime() - start < DEFAULT_NANOS) {
      most = Math.max(most, simulate(factory, 500, rows, sessions));
      sessions += 500;
    }
    double seconds = (System.nanoTime() - start) / 1e9;
    System.out.printf(
        Locale.ROOT,
        "%s: %d sessions in %.1f s, at most %.0f KiB%n",
        option,
        sessions,
        seconds,
        most / 1024.0);
    KvUsage after = factory.usage();
    assertEquals(0, after.memoryBytes());
    assertEquals(0, after.fileBytes());
    assertEquals(filesBefore, openFiles());
    assertEquals(0, mappedFiles());
    try (Stream<Path> left = Files.list(folder)) {
      assertEquals(List.of(), left.toList());
    }
    // 8 sessions of at most 3 * rows tokens each, and slabs of files are larger.
    assertTrue(most <= (option.contains("dir=DIR") ? 1 << 23 : 1 << 19), most + " bytes");
  }

  /** Up to 8 sessions at a time that open, grow, fork, go back, drop and close in random order. */
  private long simulate(KvCache.Factory factory, int sessions, int rows, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    List<KvCache> live = new ArrayList<>();
    long most = 0;
    for (int opened = 0; opened < sessions; ) {
      KvCache cache;
      if (live.isEmpty() || live.size() < 8 && random.nextInt(3) == 0) {
        cache = factory.create(SHAPE);
        live.add(cache);
        append(cache, 1 + random.nextInt(rows));
        opened++;
      }
      cache = live.get(random.nextInt(live.size()));
      switch (random.nextInt(5)) {
        case 0 -> {
          if (live.size() < 8) {
            live.add(cache.fork());
            opened++;
          }
        }
        case 1 -> {
          if (cache.truncateTo(random.nextLong(cache.length() + 1))
              instanceof Truncation.Refused refused) {
            cache.truncateTo(refused.nearest());
          }
        }
        case 2 -> {
          cache.close();
          live.remove(cache);
        }
        default -> {
          if (cache.length() < 2 * rows) {
            append(cache, 1 + random.nextInt(rows));
          }
        }
      }
      most = Math.max(most, factory.usage().memoryBytes() + factory.usage().fileBytes());
    }
    live.forEach(KvCache::close);
    return most;
  }

  private static long openFiles() throws IOException {
    try (Stream<Path> files = Files.list(Path.of("/proc/self/fd"))) {
      return files.count();
    } catch (java.nio.file.NoSuchFileException e) {
      return 0; // only Linux lists them
    }
  }

  private long mappedFiles() throws IOException {
    Path maps = Path.of("/proc/self/maps");
    if (!Files.isReadable(maps)) {
      return 0; // only Linux lists them
    }
    try (Stream<String> lines = Files.lines(maps)) {
      return lines.filter(line -> line.contains(folder.toString())).count();
    }
  }
}
