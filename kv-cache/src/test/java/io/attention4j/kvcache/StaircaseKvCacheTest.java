package io.attention4j.kvcache;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.GroupedPages;
import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.KvCacheContext;
import io.attention4j.engine.operator.LayerInputs;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.Truncation;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.DeviceOptions;
import io.attention4j.engine.tensor.RowCodec;
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
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class StaircaseKvCacheTest {
  private static final int QUERY_HEADS = 4;
  private static final int KV_HEADS = 2;
  private static final int HEAD_DIM = 40;
  private static final int PROMPT = 330;
  private static final int DECODED = 200;
  private static final String KIVI = "kivi:residual=64";
  private static final String SAQ = "saq:levels=16@32,8@100,4@230,2";

  private static PolicyRun open(String option) {
    return new PolicyRun(option, QUERY_HEADS, KV_HEADS, HEAD_DIM);
  }

  private static StaircaseKvCache cache(PolicyRun run) {
    return (StaircaseKvCache) run.cache();
  }

  private static void assertSame(List<float[]> expected, List<float[]> actual) {
    assertEquals(expected.size(), actual.size());
    for (int row = 0; row < expected.size(); row++) {
      assertArrayEquals(expected.get(row), actual.get(row), "row " + row);
    }
  }

  /** Codes, steps and minima, or halves, of a head's pages. */
  private static List<byte[]> bytes(StaircaseKvCache cache, int head, boolean keys) {
    List<byte[]> all = new ArrayList<>();
    for (int i = 0; i < cache.pageCount(); i++) {
      KvPage page = cache.page(head, i);
      KvFormat format = keys ? page.keyFormat() : page.valueFormat();
      boolean whole = format instanceof KvFormat.Grouped;
      int slots = whole ? page.capacity() : page.length();
      long bytes = format.pageBytes(slots, keys ? page.keyDim() : page.valueDim());
      Storage.Host host = (Storage.Host) (keys ? page.keys() : page.values());
      long at = keys ? page.keyOffset() : page.valueOffset();
      all.add(host.segment().asSlice(at, bytes).toArray(ValueLayout.JAVA_BYTE));
    }
    return all;
  }

  private static void assertSamePages(StaircaseKvCache expected, StaircaseKvCache actual) {
    assertEquals(expected.length(), actual.length());
    for (int head = 0; head < KV_HEADS; head++) {
      for (boolean keys : new boolean[] {true, false}) {
        List<byte[]> a = bytes(expected, head, keys);
        List<byte[]> b = bytes(actual, head, keys);
        assertEquals(a.size(), b.size());
        for (int page = 0; page < a.size(); page++) {
          assertArrayEquals(a.get(page), b.get(page), "page " + page + " of head " + head);
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {KIVI, SAQ, "kivi:bits=4;residual=0;group=64", "saq"})
  void promptsAreThoseOfF16AndDoNotDependOnChunks(String option) {
    try (PolicyRun dense = open("f16");
        PolicyRun run = open(option)) {
      List<float[]> once = run.run(run.newState(), PROMPT, PROMPT, DECODED);
      StaircaseKvCache first = cache(run);
      assertSame(dense.run(dense.newState(), PROMPT, PROMPT, 0), once.subList(0, PROMPT));
      for (int chunk : new int[] {1, 37, 64, 256}) {
        assertSame(once, run.run(run.newState(), PROMPT, chunk, DECODED));
        assertSamePages(first, cache(run));
      }
    }
  }

  @Test
  void oneLevelIsF16BitForBit() {
    try (PolicyRun dense = open("f16");
        PolicyRun run = open("saq:levels=16")) {
      assertSame(
          dense.run(dense.newState(), PROMPT, PROMPT, 40),
          run.run(run.newState(), PROMPT, PROMPT, 40));
    }
  }

  /** Both against each other and against KIVI's quantiser written down once more. */
  @Test
  void twoLevelsAreKiviBitForBit() {
    try (PolicyRun kivi = open(KIVI);
        PolicyRun saq = open("saq:levels=16@64,2")) {
      assertSame(
          kivi.run(kivi.newState(), PROMPT, PROMPT, DECODED),
          saq.run(saq.newState(), PROMPT, PROMPT, DECODED));
      assertSamePages(cache(kivi), cache(saq));
      int tokens = PROMPT + DECODED;
      float[][][] k = new float[tokens][KV_HEADS][HEAD_DIM];
      for (int t = 0; t < tokens; t++) {
        float[] keys = new float[KV_HEADS * HEAD_DIM];
        PolicyRun.random(
            t, new float[QUERY_HEADS * HEAD_DIM], keys, new float[KV_HEADS * HEAD_DIM]);
        for (int i = 0; i < keys.length; i++) {
          k[t][i / HEAD_DIM][i % HEAD_DIM] = half(keys[i]);
        }
      }
      int quantised = Math.floorDiv(tokens - 64, 64) * 64;
      for (int head = 0; head < KV_HEADS; head++) {
        float[][] stored = keys(cache(saq), head);
        for (int t = 0; t < tokens; t++) {
          for (int d = 0; d < HEAD_DIM; d++) {
            float expected = t < quantised ? kiviKey(k, t, head, d) : k[t][head][d];
            assertEquals(expected, stored[t][d], "token " + t + ", element " + d);
          }
        }
      }
    }
  }

  private static float half(float x) {
    return Float.float16ToFloat(Float.floatToFloat16(x));
  }

  /** code * step + min over 32 tokens of a channel; the minimum is a half, the step rounds up. */
  private static float kiviKey(float[][][] k, int token, int head, int d) {
    float low = Float.POSITIVE_INFINITY;
    float high = Float.NEGATIVE_INFINITY;
    for (int t = token / 32 * 32; t < token / 32 * 32 + 32; t++) {
      low = Math.min(low, k[t][head][d]);
      high = Math.max(high, k[t][head][d]);
    }
    double exact = ((double) high - low) / 3;
    float step = half((float) exact);
    if (step < exact) {
      step = Float.float16ToFloat((short) (Float.floatToFloat16(step) + 1));
    }
    return Math.round((k[token][head][d] - low) / step) * step + low;
  }

  private static float[][] keys(StaircaseKvCache cache, int head) {
    float[][] all = new float[(int) cache.length()][HEAD_DIM];
    int at = 0;
    for (int i = 0; i < cache.pageCount(); i++) {
      KvPage page = cache.page(head, i);
      MemorySegment memory = ((Storage.Host) page.keys()).segment();
      float[] rows = new float[page.capacity() * HEAD_DIM];
      if (page.keyFormat() instanceof KvFormat.Grouped grouped) {
        GroupedPages.decode(
            grouped,
            memory,
            page.keyOffset(),
            page.capacity(),
            HEAD_DIM,
            0,
            page.length(),
            rows,
            0);
      } else {
        KvFormat.Plain plain = (KvFormat.Plain) page.keyFormat();
        RowCodec.of(plain.dtype())
            .decode(memory, page.keyOffset(), rows, 0, page.length() * HEAD_DIM);
      }
      for (int slot = 0; slot < page.length(); slot++) {
        System.arraycopy(rows, slot * HEAD_DIM, all[at++], 0, HEAD_DIM);
      }
    }
    return all;
  }

  /** Every level adds half a step of its own, whether a token came by prompt or was decoded. */
  @ParameterizedTest
  @ValueSource(ints = {530, 300, 1})
  void errorsStayWithinTheSumOfHalfSteps(int prompt) {
    try (PolicyRun run = open(SAQ)) {
      run.run(run.newState(), prompt, prompt, 530 - prompt);
      StaircaseKvCache cache = cache(run);
      float[] exact = new float[KV_HEADS * HEAD_DIM];
      int levels = 0;
      for (int head = 0; head < KV_HEADS; head++) {
        float[][] stored = keys(cache, head);
        for (int t = 0; t < 530; t++) {
          PolicyRun.random(
              t, new float[QUERY_HEADS * HEAD_DIM], exact, new float[KV_HEADS * HEAD_DIM]);
          int level = cache.room().schedule().level(t / 64, 530, 64);
          levels |= 1 << level;
          double bound = 2 * 0x1p-11;
          for (int l = 1; l <= level; l++) {
            int bits = cache.room().schedule().bits().get(l);
            bound += 4 * 1.05 / ((1 << bits) - 1) / 2; // elements are in [-2, 2]
          }
          for (int d = 0; d < HEAD_DIM; d++) {
            float expected = exact[head * HEAD_DIM + d];
            assertEquals(expected, stored[t][d], bound, "token " + t);
          }
        }
      }
      assertEquals(15, levels, "not all levels are in use");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {KIVI, SAQ})
  void forksGoTheirOwnWayAndNothingLeaks(String option) {
    try (PolicyRun run = open(option)) {
      LayerState alone = run.newState();
      List<float[]> expected = run.run(alone, PROMPT, 100, DECODED);
      LayerState state = run.newState();
      run.run(state, PROMPT, 100, 10);
      List<PagePool> pools = cache(run).room().pools();
      long held = held(pools);
      try (LayerState fork = state.fork()) {
        assertEquals(held, held(pools), "a fork shares its pages");
        long bytes = fork.bytes();
        assertSame(
            expected.subList(PROMPT + 10, PROMPT + DECODED),
            run.decode(state, PROMPT + 10, PROMPT + DECODED));
        assertEquals(bytes, fork.bytes(), "the fork keeps the pages it had");
        assertSame(
            expected.subList(PROMPT + 10, PROMPT + DECODED),
            run.decode(fork, PROMPT + 10, PROMPT + DECODED));
      }
      state.close();
      alone.close();
      assertEquals(0, held(pools));
      for (PagePool pool : pools) {
        assertEquals(0, pool.bytes());
      }
    }
  }

  private static long held(List<PagePool> pools) {
    return pools.stream().mapToLong(PagePool::held).sum();
  }

  @ParameterizedTest
  @ValueSource(strings = {KIVI, SAQ})
  void aRestoredCacheGoesOnTokenForToken(String option) throws IOException {
    try (PolicyRun run = open(option);
        PolicyRun other = open("saq:levels=16@64,4")) {
      LayerState state = run.newState();
      List<float[]> expected = run.run(state, PROMPT, 100, DECODED);
      state.reset();
      assertEquals(0, state.bytes());
      run.run(state, PROMPT, 100, 70);
      StaircaseKvCache saved = cache(run);
      ByteArrayOutputStream file = new ByteArrayOutputStream();
      state.save(Channels.newChannel(file));
      LayerState restored = run.newState();
      byte[] bytes = file.toByteArray();
      restored.load(Channels.newChannel(new ByteArrayInputStream(bytes)));
      assertSamePages(saved, cache(run));
      assertEquals(state.bytes(), restored.bytes());
      assertSame(
          expected.subList(PROMPT + 70, PROMPT + DECODED),
          run.decode(restored, PROMPT + 70, PROMPT + DECODED));
      for (int length = 0; length < bytes.length; length += 997) {
        var torn = Channels.newChannel(new ByteArrayInputStream(bytes, 0, length));
        assertThrows(IOException.class, () -> restored.load(torn));
        assertEquals(0, restored.length());
        assertEquals(0, restored.bytes());
      }
      LayerState foreign = other.newState();
      var whole = Channels.newChannel(new ByteArrayInputStream(bytes));
      IOException refused = assertThrows(IOException.class, () -> foreign.load(whole));
      assertTrue(refused.getMessage().contains("--kv-cache"), refused.getMessage());
      run.step(restored, 0, 100, true);
      var sink = Channels.newChannel(new ByteArrayOutputStream());
      assertThrows(IOException.class, () -> restored.save(sink));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {KIVI, SAQ})
  void goesBackExactlyOrSaysThatItCannot(String option) {
    try (PolicyRun run = open(option)) {
      List<float[]> expected = run.run(run.newState(), PROMPT, 100, DECODED);
      LayerState state = run.newState();
      run.run(state, PROMPT, 100, 60);
      int quantisedAt = cache(run).quantisedAt();
      assertTrue(quantisedAt > PROMPT && quantisedAt < PROMPT + 60, "quantised " + quantisedAt);
      long bytes = state.bytes();
      assertInstanceOf(Truncation.Refused.class, state.truncateTo(quantisedAt - 1));
      assertEquals(PROMPT + 60, state.length());
      assertEquals(bytes, state.bytes());
      assertInstanceOf(Truncation.Done.class, state.truncateTo(quantisedAt));
      assertSame(
          expected.subList(quantisedAt, PROMPT + DECODED),
          run.decode(state, quantisedAt, PROMPT + DECODED));
      state.reset();
      assertSame(expected, run.run(state, PROMPT, 100, DECODED));
    }
  }

  /** No step quantises more than one page of each head. */
  @ParameterizedTest
  @ValueSource(strings = {KIVI, SAQ, "saq:levels=16@64,8@128,4@192,2"})
  void aTokenBringsOnePagePerHeadAtMost(String option) {
    try (PolicyRun run = open(option)) {
      LayerState state = run.newState();
      run.run(state, 500, 500, 0);
      int changes = 0;
      for (int at = 500; at < 700; at++) {
        List<KvFormat> before = formats(cache(run));
        run.step(state, at, at + 1, false);
        List<KvFormat> after = formats(cache(run));
        int changed = 0;
        for (int page = 0; page < before.size(); page++) {
          changed += before.get(page).equals(after.get(page)) ? 0 : 1;
        }
        assertTrue(changed <= 1, changed + " pages at token " + at);
        changes += changed;
      }
      assertTrue(changes >= 3);
    }
  }

  /** The layers of a model take turns: a step quantises a page of each head of one of them. */
  @ParameterizedTest
  @ValueSource(strings = {"kivi:residual=64", SAQ, "saq:levels=16@64,8@128,4@192,2"})
  void aTokenBringsOnePagePerHeadInAllLayers(String option) {
    int layers = 16;
    int tokens = 700;
    float[] content = new float[KV_HEADS * HEAD_DIM];
    try (KernelSelector kernels = KernelSelector.open("reference", DeviceOptions.DEFAULTS);
        Arena arena = Arena.ofConfined()) {
      Tensor row = Tensor.ofFloats(arena, content, 1, KV_HEADS, HEAD_DIM);
      KvCache.Factory factory =
          new KvCaches().create(option, new KvCacheContext(kernels, layers, null));
      List<StaircaseKvCache> caches = new ArrayList<>();
      for (int layer = 0; layer < layers; layer++) {
        caches.add((StaircaseKvCache) factory.create(shape(layer)));
      }
      int steps = 0;
      for (int at = 0; at < tokens; at++) {
        AttentionBatch batch = new AttentionBatch();
        batch.add(1, at);
        LayerInputs in = new LayerInputs();
        in.batch(batch);
        int changed = 0;
        for (StaircaseKvCache cache : caches) {
          List<KvFormat> before = formats(cache);
          cache.append(row, row, 0, 1);
          cache.attended(in, 0, null);
          List<KvFormat> after = formats(cache);
          for (int page = 0; page < before.size(); page++) {
            changed += before.get(page).equals(after.get(page)) ? 0 : 1;
          }
        }
        assertTrue(changed <= 1, changed + " pages of a head at token " + at);
        steps += changed;
      }
      assertTrue(steps > layers * (tokens / 64 - 3), steps + " steps that quantise");
      for (int layer = 0; layer < layers; layer++) {
        assertEquals(factory.bytes(shape(layer), tokens), caches.get(layer).bytes());
      }
      caches.forEach(StaircaseKvCache::close);
    }
  }

  private static LayerShape shape(int layer) {
    return new LayerShape(
        layer,
        QUERY_HEADS,
        KV_HEADS,
        HEAD_DIM,
        HEAD_DIM,
        1,
        new Mask.Causal(),
        List.of(),
        List.of(),
        null,
        1 << 16);
  }

  /**
   * A prompt takes the room of F16 until it is whole, since its attention is that of F16 whatever
   * its chunks, and what the codec promises from then on.
   */
  @ParameterizedTest
  @ValueSource(strings = {KIVI, SAQ})
  void aPromptTakesTheRoomOfF16UntilItIsWhole(String option) {
    try (PolicyRun run = open(option);
        PolicyRun f16 = open("f16")) {
      LayerState state = run.newState();
      for (int at = 0; at < 640; at += 64) {
        run.step(state, at, at + 64, at + 64 < 640);
        long tokens = at + 64;
        assertEquals(
            tokens < 640 ? f16.promisedBytes(tokens) : run.promisedBytes(tokens), state.bytes());
      }
      assertTrue(2 * state.bytes() < f16.promisedBytes(640));
      // A prompt that is given in pieces, each whole, never takes more than one of them beside it.
      LayerState pieces = run.newState();
      for (int at = 0; at < 640; at += 64) {
        run.step(pieces, at, at + 64, false);
        assertEquals(run.promisedBytes(at + 64), pieces.bytes());
      }
    }
  }

  private static List<KvFormat> formats(StaircaseKvCache cache) {
    List<KvFormat> formats = new ArrayList<>();
    for (int page = 0; page < cache.pageCount(); page++) {
      formats.add(cache.page(0, page).keyFormat());
    }
    return formats;
  }

  /** 32k tokens of the heads of Llama 3.2 1B. */
  @ParameterizedTest
  @ValueSource(strings = {"kivi", "saq"})
  void holdsAQuarterOfF16(String option) {
    int tokens = 32_768;
    try (PolicyRun run = new PolicyRun(option, 8, 8, 64);
        PolicyRun f16 = new PolicyRun("f16", 8, 8, 64)) {
      LayerState state = run.newState();
      run.store(tokens);
      long dense = f16.promisedBytes(tokens);
      long promised = run.promisedBytes(tokens);
      assertEquals(promised, state.bytes());
      long live = 0;
      for (PagePool pool : cache(run).room().pools()) {
        live += pool.bytes();
      }
      assertEquals(promised, live, 0.02 * promised);
      assertTrue(4 * live <= dense, live + " of " + dense);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "saq:levels=8@128,4",
        "saq:levels=16@128,4@1024,8",
        "saq:levels=16@128,8@128,4",
        "saq:levels=16,8@64",
        "saq:levels=16@x,8",
        "saq:levels=16@128,3",
        "saq:levels=",
        "saq:steps=3",
        "kivi:bits=3",
        "kivi:bits=16",
        "kivi:group=48",
        "kivi:residual=-1",
        "kivi+contiguous",
        "kivi+paged:page=48",
        "kivi:group=128+paged:page=64",
        "saq+window:tokens=100",
        "saq+quest",
        "saq+q4",
      })
  void refusesWhatHasNoMeaning(String option) {
    IllegalArgumentException refused =
        assertThrows(IllegalArgumentException.class, () -> open(option));
    assertTrue(refused.getMessage().length() > 30, refused.getMessage());
  }

  @Test
  void refusesAnOperatorThatDoesNotTellOfItsAttention() {
    try (PolicyRun run = open("kivi")) {
      LayerState state = run.newState();
      Tensor k =
          Tensor.ofFloats(Arena.ofAuto(), new float[KV_HEADS * HEAD_DIM], 1, KV_HEADS, HEAD_DIM);
      run.cache().append(k, k, 0, 1);
      assertThrows(IllegalStateException.class, () -> run.cache().append(k, k, 0, 1));
      state.reset();
      run.cache().append(k, k, 0, 1);
    }
  }
}
