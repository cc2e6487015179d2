package io.attention4j.sparse;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.operator.KvUsage;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.Truncation;
import io.attention4j.sparse.OperatorRun.Data;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Operators over caches whose pages live in a file give what they give in memory, bit for bit. */
class OffloadTest {
  private static final int TOKENS = 210;
  private static final String NOSA =
      "nosa:gate=gates;block=8;kernel=4;stride=2;init=1;local=1;query=3;k=8";

  @TempDir Path folder;

  private OperatorRun run(String kernels, String attention, String cache) {
    return new OperatorRun(
        kernels,
        attention,
        new Mask.Causal(),
        cache.replace("DIR", folder.toString()),
        null,
        TestWeights.gates());
  }

  @ParameterizedTest
  @CsvSource({
    "reference," + NOSA + ",8,f32",
    "cpu.simd," + NOSA + ",8,f16",
    "cpu.simd," + NOSA + ",16,q8",
    "cpu.simd," + NOSA + ",4,bf16",
    "cpu.simd,quest:page=8;tokens=32;dense=0,8,f32",
    "cpu.simd,block-topk:block=8;k=3,8,f16",
    "cpu.simd,window:tokens=20,8,q4",
    "cpu.simd,landmark:block=8;k=2,8,f32",
    "cpu.simd,landmark:block=8;k=3;stingy=true,16,f32",
    "cpu.simd,seer-decode:gate=gates;block=8;budget=16,8,f32",
    "cpu.simd,seer:gate=oracle;block=8;k=3,8,f32",
    "cpu.simd,hyper,16,f32",
    "cpu.simd,softmax,16,f16",
  })
  void offloadedIsInMemoryBitForBit(String kernels, String attention, int page, String codec) {
    Data data = Data.random(TOKENS, 91);
    String cache = codec + "+paged:page=" + page;
    try (OperatorRun memory = run(kernels, attention, cache);
        OperatorRun offloaded = run(kernels, attention, cache + "+offload:dir=DIR;slots=3");
        OperatorRun mapped = run(kernels, attention, cache + "+file:dir=DIR")) {
      for (int[] steps : new int[][] {{TOKENS}, {100, 1}, {37, 50, 1, 20}}) {
        float[] expected = memory.outputs(data, steps);
        assertArrayEquals(expected, offloaded.outputs(data, steps));
        assertArrayEquals(expected, mapped.outputs(data, steps));
      }
    }
  }

  /** Sequences of a batch, forks, ways back and restored states. */
  @ParameterizedTest
  @ValueSource(
      strings = {NOSA, "quest:page=8;tokens=32;dense=0", "landmark:block=8;k=2", "softmax"})
  void statesLiveAsTheyDoInMemory(String attention) throws IOException {
    List<float[]> expected;
    try (OperatorRun memory = run("cpu.simd", attention, "f16+paged:page=8")) {
      expected = lives(memory);
    }
    try (OperatorRun offloaded =
        run("cpu.simd", attention, "f16+paged:page=8+offload:dir=DIR;slots=2")) {
      List<float[]> actual = lives(offloaded);
      for (int i = 0; i < expected.size(); i++) {
        assertArrayEquals(expected.get(i), actual.get(i), "step " + i);
      }
    }
  }

  /** What steps give of two sequences, a fork, ways back and a restored state. */
  static List<float[]> lives(OperatorRun run) throws IOException {
    Data one = Data.random(TOKENS, 92);
    Data other = Data.random(TOKENS, 93);
    List<float[]> outputs = new ArrayList<>();
    try (LayerState a = run.layer.newState();
        LayerState b = run.layer.newState()) {
      LayerState[] both = {a, b};
      Data[] data = {one, other};
      outputs.add(run.step(both, data, new int[] {0, 0}, new int[] {120, 90}));
      for (int i = 0; i < 20; i++) {
        outputs.add(run.step(both, data, new int[] {120 + i, 90 + i}, new int[] {1, 1}));
      }
      try (LayerState fork = a.fork()) {
        outputs.add(run.step(fork, other, 140, 30));
        outputs.add(run.step(a, one, 140, 1));
        assertInstanceOf(Truncation.Done.class, fork.truncateTo(133));
        outputs.add(run.step(fork, other, 133, 1));
        assertInstanceOf(Truncation.Done.class, a.truncateTo(29));
        outputs.add(run.step(a, other, 29, 7));
        ByteArrayOutputStream saved = new ByteArrayOutputStream();
        fork.save(Channels.newChannel(saved));
        try (LayerState restored = run.layer.newState()) {
          restored.load(Channels.newChannel(new ByteArrayInputStream(saved.toByteArray())));
          outputs.add(run.step(restored, one, 134, 1));
          outputs.add(run.step(fork, one, 134, 1));
          outputs.add(run.step(restored, one, 135, 40));
        }
      }
    }
    return outputs;
  }

  /** A step fetches at most what the query may choose, a changed window and a block begun. */
  @ParameterizedTest
  @ValueSource(ints = {1, 3, 6})
  void nosaFetchesFewBlocksPerStep(int query) {
    Data data = Data.random(TOKENS, 94);
    String attention = NOSA.replace("query=3", "query=" + query);
    try (OperatorRun run =
        run("reference", attention, attention + "+f32+offload:dir=DIR;slots=8+paged:page=8")) {
      run.outputs(data, 100, 1);
      KvUsage usage = run.caches.usage();
      // The row's own block is one of those that the query would choose.
      assertTrue(query == 1 || usage.mostFetched() > 0, "the choice never changed");
      assertTrue(usage.mostFetched() <= query + 2, usage.mostFetched() + " blocks");
      assertEquals(1 + TOKENS - 100, usage.steps());
    }
  }

  /** Blocks that landmarks retrieve come through the tier: a step reads its k blocks per head. */
  @Test
  void landmarksFetchWhatTheyRetrieve() {
    Data data = Data.random(TOKENS, 97);
    try (OperatorRun run =
        run("cpu.simd", "landmark:block=8;k=2", "f32+paged:page=8+offload:dir=DIR;slots=8")) {
      run.outputs(data, 100, 1);
      KvUsage usage = run.caches.usage();
      // Two query heads per KV head choose two blocks each.
      assertTrue(usage.mostFetched() > 0 && usage.mostFetched() <= 4, usage.mostFetched() + "");
    }
  }

  /** After a prompt of any length a step leaves the slots in memory, and no more. */
  @ParameterizedTest
  @ValueSource(ints = {200, 2000})
  void memoryDoesNotGrowWithTheLength(int tokens) {
    Data data = Data.random(tokens + 3, 96);
    try (OperatorRun run = run("cpu.simd", NOSA, NOSA + "+f32+offload:dir=DIR");
        LayerState state = run.layer.newState()) {
      run.step(state, data, 0, tokens);
      run.step(state, data, tokens, 1);
      run.step(state, data, tokens + 1, 1);
      long frames = OperatorRun.KV_HEADS * (8 + 1 + 2); // slots, the page under way, old ones
      long slab = 1 << 17;
      long bytes = run.caches.usage().memoryBytes();
      assertTrue(bytes <= (frames * 4096 / slab + 2) * slab, bytes + " bytes");
      assertTrue(run.caches.usage().fileBytes() >= tokens / 8 * 2 * 512L);
    }
  }

  /** Fetching everything each step gives the same and reads several times as much. */
  @Test
  void theDifferenceIsAPartOfTheChoice() {
    Data data = Data.random(TOKENS, 95);
    String cache = "f32+paged:page=8+offload:dir=DIR;slots=8";
    try (OperatorRun difference = run("cpu.simd", NOSA, cache);
        OperatorRun all = run("cpu.simd", NOSA, cache + ";fetch=all")) {
      assertArrayEquals(difference.outputs(data, 100, 1), all.outputs(data, 100, 1));
      long some = difference.caches.usage().fetchedBytes();
      assertTrue(2 * some < all.caches.usage().fetchedBytes());
    }
  }
}
