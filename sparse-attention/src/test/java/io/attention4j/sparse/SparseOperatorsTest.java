package io.attention4j.sparse;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.Operators;
import io.attention4j.engine.operator.Truncation;
import io.attention4j.sparse.OperatorRun.Data;
import io.attention4j.sparse.OperatorRun.Visible;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.channels.Channels;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What holds for every operator of this module, on the reference and on the vector kernels. */
class SparseOperatorsTest {
  /** Held, so that it stays quiet about what auto picks. */
  private static final Logger AUTO = Logger.getLogger("io.attention4j.sparse.auto");

  static {
    AUTO.setLevel(Level.WARNING);
  }

  /** Over two key blocks of the masked patterns, and no multiple of any block. */
  private static final int TOKENS = 299;

  /** Outputs are means of values below 2 in f32; sums run in another order than the reference's. */
  private static final float TOLERANCE = 4e-6f;

  private static final List<String> KERNELS = List.of("reference", "cpu.scalar", "cpu.simd");

  /** Every operator with settings that leave keys out. */
  private static final List<String> SPARSE =
      List.of(
          "window:tokens=20",
          "window:tokens=150",
          "sink-window:sinks=4;tokens=20",
          "sink-window:sinks=130;tokens=5",
          "longformer:tokens=20;globals=3",
          "bigbird:block=8;window=2;global=1;random=2;seed=7",
          "bigbird:block=24;window=1;global=2;random=1",
          "block-topk:block=8;k=2",
          "block-topk:block=24;k=3",
          "block-topk:block=8;k=3;strict=true",
          "prflash:block=8;budget=6",
          "prflash:block=24;budget=2;sink=false;seed=5",
          "prflash:block=8;budget=6;schedule=nearest;alpha=0.1",
          "prflash:block=8;budget=6;unbiased=true",
          "lsg:block=8;sparse=3;factor=4",
          "lsg:block=8;sparse=3;factor=4;type=stride;globals=0",
          "lsg:block=8;sparse=3;factor=4;type=pool;globals=6",
          "lsg:block=16;type=none",
          "combiner:type=fixed;segment=16",
          "combiner:type=logsparse",
          "combiner:type=axial;segment=16",
          "combiner:type=rowmajor;segment=16",
          "hyper:block=16;samples=8;min=16",
          "hyper:block=16;samples=8;min=16;sampling=values",
          "hyper:block=0;samples=8;min=16",
          "hyper:block=7;samples=0;min=20;projections=3;seed=4",
          "routing:clusters=4;tokens=40",
          "routing:clusters=4;tokens=40;norm=layer;queries=nearest",
          "routing:clusters=4;tokens=90;strict=true",
          "routing:clusters=3;tokens=60;strict=true;queries=nearest;local=1;block=16",
          "landmark:block=8;k=2",
          "landmark:block=8;k=3;retrieval=heads",
          "landmark:block=12;k=2;retrieval=chunk",
          "landmark:block=40;k=100",
          "seer:gate=gates;block=8;k=3",
          "seer:gate=gates;block=24;density=0.4;last=0",
          "seer:gate=gates;block=8;threshold=0.05;strict=true",
          "seer-decode:gate=gates;block=8;budget=24;prefill=sparse",
          "seer-decode:gate=gates;block=16;threshold=0.1;prefill=sparse",
          "nosa:gate=gates;block=8;kernel=4;stride=2;local=1;query=3;k=8",
          "nosa:gate=gates;block=16;kernel=8;stride=3;init=0;local=0;query=1;k=4",
          "act:tau=0.02",
          "act:tau=0.02;beta=0;strict=true");

  /** Settings that leave nothing out. */
  private static final List<String> DENSE =
      List.of(
          "window:tokens=299",
          "window:tokens=1073741824",
          "sink-window:sinks=0;tokens=299",
          "sink-window:sinks=100;tokens=199",
          "sink-window:sinks=1073741824;tokens=1",
          "longformer:tokens=299;globals=0",
          "longformer:tokens=0;globals=299",
          "bigbird:block=299;window=1;global=0;random=0",
          "bigbird:block=8;window=38;global=0;random=0",
          "bigbird:block=8;window=1;global=0;random=37",
          "bigbird:block=8;window=1;global=38;random=0",
          "bigbird:block=8;window=1073741824;global=1073741824;random=1073741824",
          "block-topk:block=299;k=0",
          "block-topk:block=8;k=36",
          "block-topk:block=8;k=1073741824;strict=true",
          "prflash:block=8;budget=38",
          "prflash:block=8;budget=38;unbiased=true",
          "prflash:block=299;budget=1;sink=false",
          "prflash:block=16;budget=1073741824;schedule=nearest",
          "lsg:block=299;sparse=0;globals=0;factor=1",
          "lsg:block=8;sparse=296;factor=1;type=pool",
          "lsg:block=8;sparse=296;factor=1;type=stride",
          "lsg:block=8;sparse=296;factor=8;type=norm",
          "auto:error=0;min=1",
          "auto:error=0;min=8;candidates=hyper+bigbird+longformer+window",
          "combiner:type=fixed;segment=299",
          "combiner:type=fixed;segment=1",
          "combiner:type=axial;segment=1",
          "combiner:type=axial;segment=299",
          "combiner:type=rowmajor;segment=1073741824",
          "hyper:min=299",
          "hyper:min=8;block=299;samples=0",
          "hyper:min=8;block=16;samples=299",
          "hyper:min=8;block=0;samples=299;sampling=values",
          "hyper:min=1;block=1;samples=1073741824",
          "routing:clusters=1;tokens=299;eps=0",
          "routing:clusters=5;tokens=1073741824;eps=0;strict=true",
          "routing:clusters=3;tokens=299;queries=nearest;eps=0",
          "routing:clusters=2;tokens=299;local=3;block=299;eps=0",
          "landmark:block=300;k=0",
          "landmark:block=1073741824;stingy=true",
          "seer:gate=gates;block=8;threshold=-1;last=0",
          "seer:gate=gates;block=8;density=1;strict=true",
          "seer:gate=gates;block=8;k=38",
          "seer:gate=gates;block=299;k=0;last=0",
          "seer-decode:gate=gates;block=8;budget=299;prefill=sparse",
          "seer-decode:gate=gates;block=8;threshold=-1;prefill=sparse",
          "seer-decode:gate=gates;block=299;budget=299",
          "seer-decode:gate=gates;block=8;threshold=-1",
          "nosa:gate=unbiased;block=8;k=38",
          "nosa:gate=unbiased;block=8;k=1073741824",
          "act:beta=1",
          "act:tau=1;strict=true");

  private static List<Arguments> onAllKernels(List<String> options) {
    List<Arguments> all = new ArrayList<>();
    for (String kernels : KERNELS) {
      options.forEach(option -> all.add(Arguments.of(kernels, option)));
    }
    return all;
  }

  static List<Arguments> sparse() {
    return onAllKernels(SPARSE);
  }

  /** Those that can go back to any length; calibration cannot, ActTest says to where it can. */
  static List<Arguments> rewindable() {
    return onAllKernels(SPARSE.stream().filter(o -> !o.startsWith(Act.ID + ":")).toList());
  }

  /** Those whose rows choose alone. */
  static List<Arguments> rowwise() {
    return onAllKernels(SPARSE.stream().filter(SparseOperatorsTest::isRowwise).toList());
  }

  private static boolean isRowwise(String option) {
    boolean choosesTogether =
        option.startsWith(BlockTopK.ID)
            || option.startsWith(RoutingAttention.ID)
            || option.startsWith(SeerAttention.ID + ":")
            || option.startsWith(Act.ID + ":")
            || option.contains("retrieval=chunk");
    return !option.startsWith(HyperAttention.ID)
        && (!choosesTogether || option.contains("strict=true"));
  }

  /** Those whose choice reads later keys in prefill. */
  private static boolean readsAhead(String option) {
    return (option.startsWith(RoutingAttention.ID)
            || option.startsWith(SeerAttention.ID + ":")
            || option.startsWith(Act.ID + ":"))
        && !option.contains("strict=true");
  }

  /** Those whose choice reads no later key. */
  static List<Arguments> causal() {
    return onAllKernels(SPARSE.stream().filter(option -> !readsAhead(option)).toList());
  }

  static List<Arguments> dense() {
    return onAllKernels(DENSE);
  }

  static List<Arguments> patterns() {
    List<Arguments> all = new ArrayList<>();
    for (String kernels : KERNELS) {
      all.add(pattern(kernels, "window:tokens=20", (row, key) -> key <= row && key > row - 20));
      all.add(pattern(kernels, "window:tokens=1", (row, key) -> key == row));
      all.add(
          pattern(
              kernels,
              "sink-window:sinks=4;tokens=20",
              (row, key) -> key <= row && (key < 4 || key > row - 20)));
      all.add(
          pattern(
              kernels,
              "longformer:tokens=20;globals=130",
              (row, key) -> key <= row && (key < 130 || key > row - 20)));
      all.add(pattern(kernels, "longformer:tokens=0;globals=0", (row, key) -> key == row));
      all.add(
          pattern(
              kernels,
              "bigbird:block=8;window=2;global=3;random=0",
              (row, key) -> key <= row && (row / 8 - key / 8 < 2 || key < 24)));
      all.add(
          pattern(
              kernels,
              "prflash:block=8;budget=1;sink=false",
              (row, key) -> key <= row && row / 8 == key / 8));
      all.add(
          pattern(
              kernels,
              "prflash:block=8;budget=3;schedule=nearest",
              (row, key) -> key <= row && (row / 8 - key / 8 < 3 || key < 8)));
      all.add(
          pattern(
              kernels,
              "lsg:block=8;type=none;globals=3",
              (row, key) -> key <= row && (row / 8 - key / 8 < 2 || key < 3)));
      all.add(
          pattern(
              kernels,
              "block-topk:block=8;k=0",
              (row, key) -> key <= row && (row / 8 == key / 8 || key < 8)));
    }
    return all;
  }

  private static Arguments pattern(String kernels, String option, Visible visible) {
    return Arguments.of(kernels, option, visible);
  }

  @ParameterizedTest
  @MethodSource("dense")
  void nothingLeftOutIsSoftmax(String kernels, String option) {
    Data data = Data.random(TOKENS, 1);
    try (OperatorRun run = new OperatorRun(kernels, option);
        OperatorRun softmax = new OperatorRun(kernels, "softmax")) {
      float[] expected = softmax.outputs(data, TOKENS);
      assertArrayEquals(expected, run.outputs(data, TOKENS), TOLERANCE);
      assertArrayEquals(expected, run.outputs(data, 290, 1), TOLERANCE);
      assertArrayEquals(expected, run.outputs(data, 101, 99), TOLERANCE);
    }
  }

  @ParameterizedTest
  @MethodSource("patterns")
  void aPatternIsItsPicture(String kernels, String option, Visible visible) {
    Data data = Data.random(TOKENS, 2);
    try (OperatorRun run = new OperatorRun(kernels, option)) {
      assertArrayEquals(OperatorRun.expected(data, visible), run.outputs(data, TOKENS), TOLERANCE);
    }
  }

  @ParameterizedTest
  @MethodSource("sparse")
  void somethingIsLeftOut(String kernels, String option) {
    Data data = Data.random(TOKENS, 2);
    try (OperatorRun run = new OperatorRun(kernels, option);
        OperatorRun softmax = new OperatorRun(kernels, "softmax")) {
      assertFalse(Arrays.equals(softmax.outputs(data, TOKENS), run.outputs(data, TOKENS)));
    }
  }

  /** The weight on a later key is exactly 0, whatever the choice read. */
  @ParameterizedTest
  @MethodSource("sparse")
  void laterValuesChangeNoEarlierRow(String kernels, String option) {
    Data data = Data.random(TOKENS, 12);
    Data changed = data.changedFrom(170, false);
    Data valuesOnly = new Data(data.q(), data.k(), changed.v());
    try (OperatorRun run = new OperatorRun(kernels, option)) {
      for (int[] steps : new int[][] {{TOKENS}, {165, 1}}) {
        float[] before = rows(run.outputs(data, steps), 0, 170);
        assertArrayEquals(before, rows(run.outputs(valuesOnly, steps), 0, 170));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("causal")
  void laterKeysAndValuesChangeNoEarlierRow(String kernels, String option) {
    requireUnchanged(kernels, option, false, TOKENS);
    requireUnchanged(kernels, option, false, 285, 1);
  }

  @ParameterizedTest
  @MethodSource("rowwise")
  void noLaterInputChangesAnEarlierRow(String kernels, String option) {
    requireUnchanged(kernels, option, true, TOKENS);
    requireUnchanged(kernels, option, true, 290, 1);
  }

  private static void requireUnchanged(
      String kernels, String option, boolean queriesToo, int... steps) {
    Data data = Data.random(TOKENS, 3);
    try (OperatorRun run = new OperatorRun(kernels, option)) {
      float[] before = run.outputs(data, steps);
      for (int token : new int[] {64, 285}) {
        float[] after = run.outputs(data.changedFrom(token, queriesToo), steps);
        int same = token * OperatorRun.QUERY_HEADS * OperatorRun.HEAD_DIM;
        assertArrayEquals(Arrays.copyOf(before, same), Arrays.copyOf(after, same));
        assertFalse(Arrays.equals(before, after), "the change reached nothing");
      }
    }
  }

  @ParameterizedTest
  @MethodSource("rowwise")
  void decodeAndPrefillInPiecesEqualPrefill(String kernels, String option) {
    Data data = Data.random(TOKENS, 4);
    try (OperatorRun run = new OperatorRun(kernels, option)) {
      float[] whole = run.outputs(data, TOKENS);
      assertArrayEquals(whole, run.outputs(data, 260, 1), TOLERANCE);
      assertArrayEquals(whole, run.outputs(data, 1, 13, 1, 70, 64, 129, 5), TOLERANCE);
    }
  }

  @ParameterizedTest
  @MethodSource("sparse")
  void sequencesOfABatchDoNotMeet(String kernels, String option) {
    Data[] data = {Data.random(TOKENS, 5), Data.random(TOKENS, 6), Data.random(TOKENS, 7)};
    int[] first = {150, 1, 77};
    int[] second = {20, 200, 0};
    try (OperatorRun run = new OperatorRun(kernels, option)) {
      float[] expected = new float[0];
      for (int s = 0; s < 3; s++) {
        try (LayerState alone = run.layer.newState()) {
          run.step(alone, data[s], 0, first[s]);
          float[] out = run.step(alone, data[s], first[s], second[s]);
          int at = expected.length;
          expected = Arrays.copyOf(expected, at + out.length);
          System.arraycopy(out, 0, expected, at, out.length);
        }
      }
      LayerState[] states = {run.layer.newState(), run.layer.newState(), run.layer.newState()};
      run.step(states, data, new int[3], first);
      assertArrayEquals(expected, run.step(states, data, first, second));
      Arrays.stream(states).forEach(LayerState::close);
    }
  }

  @ParameterizedTest
  @MethodSource("rewindable")
  void aStateForksRewindsAndIsRestored(String kernels, String option) throws IOException {
    Data data = Data.random(TOKENS, 8);
    try (OperatorRun run = new OperatorRun(kernels, option);
        LayerState state = run.layer.newState()) {
      run.step(state, data, 0, 200);
      ByteArrayOutputStream saved = new ByteArrayOutputStream();
      state.save(Channels.newChannel(saved));
      try (LayerState fork = state.fork();
          LayerState restored = run.layer.newState()) {
        float[] next = run.step(state, data, 200, 40);
        assertArrayEquals(next, run.step(fork, data, 200, 40));
        // Another past, so that what was remembered of it must go.
        run.step(restored, Data.random(TOKENS, 9), 0, 150);
        restored.load(Channels.newChannel(new ByteArrayInputStream(saved.toByteArray())));
        assertArrayEquals(next, run.step(restored, data, 200, 40));
        Data other = data.changedFrom(150, true);
        float[] expected = run.outputs(other, 150, 60);
        assertEquals(new Truncation.Done(), state.truncateTo(150));
        assertArrayEquals(rows(expected, 150, 60), run.step(state, other, 150, 60));
        state.reset();
        assertEquals(0, state.length());
        assertArrayEquals(rows(expected, 0, 150), run.step(state, other, 0, 150));
      }
    }
  }

  private static float[] rows(float[] outputs, int from, int count) {
    int width = OperatorRun.QUERY_HEADS * OperatorRun.HEAD_DIM;
    return Arrays.copyOfRange(outputs, from * width, (from + count) * width);
  }

  /** Those that take a layer with a window. */
  static List<Arguments> windowed() {
    return onAllKernels(
        SPARSE.stream()
            .filter(SparseOperatorsTest::isRowwise)
            .filter(option -> !option.matches("(combiner|lsg|routing|landmark):.*"))
            .toList());
  }

  @ParameterizedTest
  @MethodSource("windowed")
  void theLayersOwnWindowHoldsToo(String kernels, String option) {
    Data data = Data.random(TOKENS, 10);
    try (OperatorRun run =
            new OperatorRun(kernels, option, new Mask.Window(0, 0), "contiguous+f32");
        OperatorRun self = new OperatorRun(kernels, "window:tokens=1")) {
      assertArrayEquals(self.outputs(data, TOKENS), run.outputs(data, TOKENS), TOLERANCE);
    }
  }

  @ParameterizedTest
  @MethodSource("sparse")
  void otherCodecsServe(String kernels, String option) {
    Data data = Data.random(TOKENS, 11);
    for (String codec : new String[] {"f16", "q8"}) {
      try (OperatorRun run =
              new OperatorRun(kernels, option, new Mask.Causal(), "paged:page=16+" + codec);
          OperatorRun other =
              new OperatorRun(kernels, option, new Mask.Causal(), "contiguous+" + codec)) {
        assertArrayEquals(other.outputs(data, 130, 7), run.outputs(data, 130, 7), TOLERANCE);
      }
    }
  }

  @Test
  void namesAreFound() {
    assertTrue(new Operators().names().containsAll(new SparseOperators().names()));
  }
}
