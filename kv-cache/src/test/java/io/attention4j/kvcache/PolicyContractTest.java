package io.attention4j.kvcache;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.Truncation;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What every policy must do. */
class PolicyContractTest {
  private static final int QUERY_HEADS = 4;
  private static final int KV_HEADS = 2;
  private static final int HEAD_DIM = 8;
  private static final int PROMPT = 90;
  private static final int CHUNK = 37;

  /**
   * A policy under test.
   *
   * @param keeping the option with a quarter of the tokens
   * @param whole the option that drops nothing
   */
  record Policy(String keeping, String whole) {}

  static Stream<Policy> policies() {
    return Stream.of(
        new Policy("window:keep=0.25", "window:keep=1"),
        new Policy("sink-window:keep=0.25;sinks=2", "sink-window:tokens=1000"),
        new Policy("snapkv:keep=0.25;window=8", "snapkv:keep=1"),
        new Policy("snapkv:tokens=24;window=8;interval=4", "snapkv:tokens=1000;interval=4"),
        new Policy("pyramidkv:keep=0.25;window=8", "pyramidkv:keep=1"),
        new Policy("adakv:keep=0.25;window=8", "adakv:keep=1"),
        new Policy("speckv:keep=0.25;window=8", "speckv:keep=1"),
        new Policy("tova:keep=0.25", "tova:keep=1"),
        new Policy("h2o:keep=0.25", "h2o:keep=1"),
        new Policy("expected-attention:keep=0.25", "expected-attention:keep=1"),
        new Policy("expected-attention:keep=0.25;safeguard=0.2", "expected-attention:keep=1"),
        new Policy(
            "razor:file=HEADS;buffer=12;compression=6;induction=0.5;echo=0",
            "razor:file=HEADS;compression=1;buffer=1"),
        new Policy("razor:file=HEADS;buffer=12;compression=6;induction=0", "razor:induction=1"),
        new Policy("duo:file=HEADS;heads=0.5;sinks=2;recent=9", "duo:file=HEADS;heads=1"));
  }

  @TempDir private static Path folder;

  @BeforeAll
  static void writeHeads() throws IOException {
    Files.writeString(
        folder.resolve("heads"), "# a layer of two heads\n[induction]\n0.1 0.7\n[echo]\n0 0\n");
  }

  private static String withHeads(String policy) {
    return policy.replace("HEADS", folder.resolve("heads").toString());
  }

  private static String paged(String policy) {
    return withHeads(policy) + "+paged:page=8+f32";
  }

  private static PolicyRun open(String policy) {
    return new PolicyRun(paged(policy), QUERY_HEADS, KV_HEADS, HEAD_DIM);
  }

  private static void assertSame(List<float[]> expected, List<float[]> actual) {
    assertEquals(expected.size(), actual.size());
    for (int row = 0; row < expected.size(); row++) {
      assertArrayEquals(expected.get(row), actual.get(row), "row " + row);
    }
  }

  @ParameterizedTest
  @MethodSource("policies")
  void theWholeBudgetIsDenseBitForBit(Policy policy) {
    try (PolicyRun dense = open("full");
        PolicyRun whole = open(policy.whole)) {
      assertSame(
          dense.run(dense.newState(), PROMPT, CHUNK, 20),
          whole.run(whole.newState(), PROMPT, CHUNK, 20));
    }
  }

  @ParameterizedTest
  @MethodSource("policies")
  void promptsAreDenseAndDoNotDependOnChunks(Policy policy) {
    try (PolicyRun dense = open("full");
        PolicyRun kept = open(policy.keeping)) {
      assertSame(
          dense.run(dense.newState(), PROMPT, PROMPT, 0),
          kept.run(kept.newState(), PROMPT, PROMPT, 0));
      List<float[]> once = kept.run(kept.newState(), PROMPT, PROMPT, 20);
      assertSame(once, kept.run(kept.newState(), PROMPT, CHUNK, 20));
    }
  }

  /** Entries are moved as codes, so that forks and restored caches hold the same ones. */
  @ParameterizedTest
  @MethodSource("policies")
  void codesOfQ4MoveWithTheirEntries(Policy policy) throws IOException {
    String option = withHeads(policy.keeping) + "+paged:page=8+q4";
    try (PolicyRun run = new PolicyRun(option, QUERY_HEADS, KV_HEADS, 40)) {
      LayerState state = run.newState();
      List<float[]> expected = run.run(state, PROMPT, PROMPT, 20);
      state.reset();
      assertSame(expected.subList(0, PROMPT + 8), run.run(state, PROMPT, CHUNK, 8));
      RaggedKvCache cache = run.ragged();
      ByteArrayOutputStream file = new ByteArrayOutputStream();
      state.save(Channels.newChannel(file));
      try (LayerState fork = state.fork()) {
        assertSame(
            expected.subList(PROMPT + 8, PROMPT + 20), run.decode(fork, PROMPT + 8, PROMPT + 20));
      }
      for (int head = 0; head < KV_HEADS; head++) {
        requireQ4(cache, head);
      }
      LayerState restored = run.newState();
      restored.load(Channels.newChannel(new ByteArrayInputStream(file.toByteArray())));
      assertSame(
          expected.subList(PROMPT + 8, PROMPT + 20), run.decode(restored, PROMPT + 8, PROMPT + 20));
    }
  }

  /** Elements are in [-2, 2], so that half a step of a group is at most 2 / 15. */
  private static void requireQ4(RaggedKvCache cache, int head) {
    HeadEntries entries = cache.head(head);
    float[] q = new float[QUERY_HEADS * 40];
    float[] k = new float[KV_HEADS * 40];
    float[] v = new float[KV_HEADS * 40];
    float[] stored = new float[40];
    SlotReader reader = new SlotReader(cache.room().device());
    for (int entry = 0; entry < entries.count(); entry++) {
      PolicyRun.random((int) entries.position(entry), q, k, v);
      reader.key(entries.page(entry), entries.slot(entry), stored);
      for (int i = 0; i < 40; i++) {
        assertEquals(k[head * 40 + i], stored[i], 2.01 / 15);
      }
      reader.value(entries.page(entry), entries.slot(entry), stored);
      for (int i = 0; i < 40; i++) {
        assertEquals(v[head * 40 + i], stored[i], 2.01 / 15);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("policies")
  void measuredBytesAreWithinTwoPercentOfThePromise(Policy policy) {
    int tokens = 640;
    try (PolicyRun run =
        new PolicyRun(withHeads(policy.keeping) + "+paged:page=4+f32", QUERY_HEADS, KV_HEADS, 64)) {
      LayerState state = run.newState();
      run.run(state, tokens, 128, 0);
      RaggedKvCache.Room room = run.ragged().room();
      long live =
          room.pool().held() * room.layout().bytes()
              + room.summaryPool().held() * room.layout().withCapacity(1).bytes();
      long promised = run.promisedBytes(tokens);
      assertEquals(promised, live, 0.02 * promised);
      long statistics = run.ragged().state().bytes();
      assertEquals(promised, state.bytes() - statistics, 0.04 * promised); // with positions
      assertTrue(live < 0.6 * run.shape.kvHeads() * tokens * 2L * 64 * Float.BYTES);
    }
  }

  @ParameterizedTest
  @MethodSource("policies")
  void entriesAreTheTokensOfTheirPositionsAndTheNewestStay(Policy policy) {
    try (PolicyRun run = open(policy.keeping)) {
      LayerState state = run.newState();
      run.run(state, PROMPT, CHUNK, 0);
      for (int at = PROMPT; at < PROMPT + 30; at++) {
        run.step(state, at, at + 1, false);
        for (int head = 0; head < KV_HEADS; head++) {
          requireOriginal(run.ragged(), head, at + 1);
          assertTrue(PolicyRun.positions(run.ragged(), head).contains((long) at), "token " + at);
        }
      }
    }
  }

  private static void requireOriginal(RaggedKvCache cache, int head, int length) {
    HeadEntries entries = cache.head(head);
    assertEquals(entries.count(), PolicyRun.positions(cache, head).size(), "positions repeat");
    float[] q = new float[QUERY_HEADS * HEAD_DIM];
    float[] k = new float[KV_HEADS * HEAD_DIM];
    float[] v = new float[KV_HEADS * HEAD_DIM];
    float[] stored = new float[HEAD_DIM];
    SlotReader reader = new SlotReader(cache.room().device());
    for (int entry = 0; entry < entries.count(); entry++) {
      int position = (int) entries.position(entry);
      assertTrue(position < length);
      PolicyRun.random(position, q, k, v);
      reader.key(entries.page(entry), entries.slot(entry), stored);
      for (int i = 0; i < HEAD_DIM; i++) {
        assertEquals(k[head * HEAD_DIM + i], stored[i]);
      }
      reader.value(entries.page(entry), entries.slot(entry), stored);
      for (int i = 0; i < HEAD_DIM; i++) {
        assertEquals(v[head * HEAD_DIM + i], stored[i]);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("policies")
  void forksGoTheirOwnWayAndNothingLeaks(Policy policy) {
    try (PolicyRun run = open(policy.keeping)) {
      LayerState alone = run.newState();
      List<float[]> expected = run.run(alone, PROMPT, CHUNK, 40);
      PagePool pool = run.ragged().room().pool();
      int held = pool.held();
      LayerState state = run.newState();
      run.run(state, PROMPT, CHUNK, 10);
      try (LayerState fork = state.fork()) {
        run.decode(fork, PROMPT + 10, PROMPT + 33);
        List<float[]> rest = run.decode(state, PROMPT + 10, PROMPT + 40);
        assertSame(expected.subList(PROMPT + 10, PROMPT + 40), rest);
        assertSame(
            expected.subList(PROMPT + 33, PROMPT + 40), run.decode(fork, PROMPT + 33, PROMPT + 40));
      }
      assertEquals(2 * held, pool.held());
      state.close();
      alone.close();
      assertEquals(0, pool.held());
      assertEquals(0, pool.bytes());
      assertEquals(0, run.ragged().room().summaryPool().held());
    }
  }

  @ParameterizedTest
  @MethodSource("policies")
  void goesBackExactlyOrSaysThatItCannot(Policy policy) {
    try (PolicyRun run = open(policy.keeping)) {
      List<float[]> expected = run.run(run.newState(), PROMPT, CHUNK, 12);
      LayerState state = run.newState();
      run.run(state, PROMPT, CHUNK, 6);
      long bytes = state.bytes();
      int at = PROMPT + 3;
      if (state.truncateTo(at) instanceof Truncation.Refused refused) {
        assertTrue(refused.nearest() <= at, refused.reason());
        assertEquals(PROMPT + 6, state.length());
        assertEquals(bytes, state.bytes());
        at = PROMPT + 6;
      }
      assertEquals(at, state.length());
      assertSame(expected.subList(at, PROMPT + 12), run.decode(state, at, PROMPT + 12));
      state.reset();
      assertEquals(0, state.length());
      assertEquals(0, state.bytes());
      assertSame(expected, run.run(state, PROMPT, CHUNK, 12));
    }
  }

  @ParameterizedTest
  @MethodSource("policies")
  void aRestoredCacheGoesOnTokenForToken(Policy policy) throws IOException {
    try (PolicyRun run = open(policy.keeping)) {
      LayerState state = run.newState();
      List<float[]> expected = run.run(state, PROMPT, CHUNK, 12);
      state.reset();
      run.run(state, PROMPT, CHUNK, 5);
      ByteArrayOutputStream file = new ByteArrayOutputStream();
      state.save(Channels.newChannel(file));
      LayerState restored = run.newState();
      restored.load(Channels.newChannel(new ByteArrayInputStream(file.toByteArray())));
      assertEquals(PROMPT + 5, restored.length());
      assertSame(
          expected.subList(PROMPT + 5, PROMPT + 12), run.decode(restored, PROMPT + 5, PROMPT + 12));
      byte[] bytes = file.toByteArray();
      for (int length = 0; length < bytes.length; length += 97) {
        var torn = Channels.newChannel(new ByteArrayInputStream(bytes, 0, length));
        assertThrows(IOException.class, () -> restored.load(torn));
        assertEquals(0, restored.length());
      }
    }
  }
}
