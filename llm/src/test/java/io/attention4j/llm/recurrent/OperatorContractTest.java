package io.attention4j.llm.recurrent;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.Truncation;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.channels.Channels;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** What the decoder asks of every operator's state, of every operator with constant state. */
class OperatorContractTest {
  private static final int TOKENS = 23;

  /** Every name, with small settings: chunks, segments and windows end inside the sequence. */
  static final List<String> OPERATORS =
      List.of(
          "linear",
          "retnet",
          "based",
          "gla:seed=1;rank=3",
          "mamba2:seed=1",
          "deltanet:seed=1",
          "gdn:seed=1",
          "kda:seed=1;rank=3",
          "rwkv7:seed=1;rank=3",
          "aaren:seed=1",
          "non-approximate",
          "lama:seed=1",
          "s6:seed=1",
          "qlstm:seed=1",
          "titans.lmm:seed=1;chunk=4",
          "titans.mac:seed=1;chunk=4;window=6;persistent=2",
          "titans.mag:seed=1;chunk=4;window=6;persistent=2",
          "titans.mal:seed=1;chunk=4;window=6;persistent=2",
          "miras.moneta:seed=1;chunk=4;rank=3",
          "miras.yaad:seed=1;chunk=4;rank=3",
          "miras.memora:seed=1;chunk=4;rank=3",
          "metamixer:seed=1",
          "mlp:seed=1",
          "approximate:seed=1",
          "static-embeddings:seed=1",
          "random-embeddings:seed=1;tokens=64",
          "fixed-sequence:tokens=64");

  /** Operators whose state is a KV cache can go back to any length. */
  private static final List<String> CACHED = List.of("softmax", "sigmoid:bias=-3");

  private interface Check {
    void on(LayerRun run) throws IOException;
  }

  private static Stream<DynamicTest> each(List<String> operators, Check check) {
    return Stream.of("reference", "cpu.scalar", "cpu.simd")
        .flatMap(
            kernels ->
                operators.stream()
                    .map(
                        operator ->
                            DynamicTest.dynamicTest(
                                kernels + " " + operator,
                                () -> {
                                  try (LayerRun run = new LayerRun(kernels, operator, TOKENS)) {
                                    check.on(run);
                                  }
                                })));
  }

  private static Stream<DynamicTest> every(Check check) {
    return Stream.concat(each(OPERATORS, check), each(CACHED, check));
  }

  @TestFactory
  Stream<DynamicTest> everyNameIsInTheSweep() {
    return LayerRun.recurrentNames().stream()
        .map(
            name ->
                DynamicTest.dynamicTest(
                    name,
                    () ->
                        assertTrue(
                            OPERATORS.stream()
                                .anyMatch(option -> option.split(":", 2)[0].equals(name)))));
  }

  /**
   * Memories step from the rounding of the last step, which untrained ones amplify some thousand
   * times in this many tokens: 2^-24 becomes 1e-4, seen up to that.
   */
  private static double tolerance(LayerRun run) {
    return run.id().startsWith("titans") || run.id().startsWith("miras") ? 1e-3 : 2e-5;
  }

  /** To f32 rounding: chunks sum in another order, and states are stored as f32 between calls. */
  private static void requireClose(LayerRun run, float[] expected, float[] actual) {
    assertEquals(expected.length, actual.length);
    double largest = 1;
    for (float value : expected) {
      assertTrue(Float.isFinite(value));
      largest = Math.max(largest, Math.abs(value));
    }
    for (int i = 0; i < expected.length; i++) {
      assertEquals(expected[i], actual[i], tolerance(run) * largest, "element " + i);
    }
  }

  @TestFactory
  Stream<DynamicTest> anySplitIsTheWhole() {
    return every(
        run -> {
          float[] whole;
          try (LayerState state = run.newState()) {
            whole = run.attend(state, 0, TOKENS);
            assertEquals(TOKENS, state.length());
          }
          for (int piece : new int[] {1, 5, 9}) {
            try (LayerState state = run.newState()) {
              float[] parts = new float[0];
              for (int from = 0; from < TOKENS; from += piece) {
                float[] next = run.attend(state, from, Math.min(TOKENS, from + piece));
                int at = parts.length;
                parts = Arrays.copyOf(parts, at + next.length);
                System.arraycopy(next, 0, parts, at, next.length);
              }
              requireClose(run, whole, parts);
            }
          }
        });
  }

  @TestFactory
  Stream<DynamicTest> aLaterTokenChangesNothing() {
    return every(
        run -> {
          try (LayerState a = run.newState();
              LayerState b = run.newState()) {
            float[] whole = run.attend(a, 0, TOKENS);
            float[] shorter = run.attend(b, 0, 9);
            requireClose(run, Arrays.copyOf(whole, shorter.length), shorter);
          }
        });
  }

  @TestFactory
  Stream<DynamicTest> sequencesThatStepTogetherDoNotMix() {
    return every(
        run -> {
          try (LayerState a = run.newState();
              LayerState b = run.newState();
              LayerState c = run.newState();
              LayerState d = run.newState()) {
            run.attend(a, 0, 4);
            run.attend(c, 0, 4);
            float[] together =
                run.attend(List.of(a, b), List.of(new int[] {4, 9}, new int[] {0, 6}));
            float[] first = run.attend(c, 4, 9);
            float[] second = run.attend(d, 0, 6);
            requireClose(run, first, Arrays.copyOf(together, first.length));
            requireClose(run, second, Arrays.copyOfRange(together, first.length, together.length));
          }
        });
  }

  @TestFactory
  Stream<DynamicTest> aForkGoesItsOwnWay() {
    return every(
        run -> {
          try (LayerState state = run.newState()) {
            run.attend(state, 0, 7);
            float[] forked;
            try (LayerState fork = state.fork()) {
              assertEquals(7, fork.length());
              run.attend(fork, 15, 18);
              assertEquals(7, state.length());
            }
            try (LayerState fork = state.fork()) {
              forked = run.attend(fork, 7, 14);
            }
            assertArrayEquals(forked, run.attend(state, 7, 14));
          }
        });
  }

  private static byte[] saved(LayerState state) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    state.save(Channels.newChannel(bytes));
    return bytes.toByteArray();
  }

  private static void load(LayerState state, byte[] bytes) throws IOException {
    state.load(Channels.newChannel(new ByteArrayInputStream(bytes)));
  }

  @TestFactory
  Stream<DynamicTest> aSavedStateGoesOn() {
    return every(
        run -> {
          try (LayerState state = run.newState();
              LayerState loaded = run.newState()) {
            run.attend(state, 0, 11);
            byte[] bytes = saved(state);
            run.attend(loaded, 3, 5);
            load(loaded, bytes);
            assertEquals(11, loaded.length());
            assertArrayEquals(run.attend(state, 11, TOKENS), run.attend(loaded, 11, TOKENS));
          }
        });
  }

  @TestFactory
  Stream<DynamicTest> aTornFileLeavesAnEmptyState() {
    return every(
        run -> {
          try (LayerState state = run.newState();
              LayerState loaded = run.newState()) {
            run.attend(state, 0, 11);
            byte[] bytes = saved(state);
            for (int length : new int[] {0, 3, 40, bytes.length - 1}) {
              byte[] torn = Arrays.copyOf(bytes, Math.min(length, bytes.length - 1));
              assertThrows(IOException.class, () -> load(loaded, torn));
              assertEquals(0, loaded.length());
            }
            byte[] other = bytes.clone();
            other[0] ^= 0x55;
            assertThrows(IOException.class, () -> load(loaded, other));
            assertEquals(0, loaded.length());
            run.attend(loaded, 0, 3);
          }
        });
  }

  @TestFactory
  Stream<DynamicTest> aRecurrenceGoesBackToSnapshotsOnly() {
    return each(
        OPERATORS,
        run -> {
          try (LayerState state = run.newState()) {
            run.attend(state, 0, 7);
            state.snapshot();
            float[] expected = run.attend(state, 7, 16);
            long length = state.length();
            Truncation.Refused refused =
                assertInstanceOf(Truncation.Refused.class, state.truncateTo(12));
            assertEquals(7, refused.nearest());
            assertTrue(refused.reason().contains("cannot go back to 12"), refused.reason());
            assertTrue(refused.reason().contains(run.id()), refused.reason());
            assertEquals(length, state.length());
            assertInstanceOf(Truncation.Done.class, state.truncateTo(7));
            assertEquals(7, state.length());
            assertArrayEquals(expected, run.attend(state, 7, 16));
            assertInstanceOf(Truncation.Done.class, state.truncateTo(0));
            assertEquals(0, state.length());
          }
        });
  }

  @TestFactory
  Stream<DynamicTest> resetForgets() {
    return every(
        run -> {
          try (LayerState state = run.newState()) {
            float[] first = run.attend(state, 0, 8);
            state.reset();
            assertEquals(0, state.length());
            assertArrayEquals(first, run.attend(state, 0, 8));
            assertTrue(state.bytes() >= 0);
          }
        });
  }

  /** Appending computes no output and leaves the same state. */
  @TestFactory
  Stream<DynamicTest> appendIsAttendWithoutOutputs() {
    return every(
        run -> {
          try (LayerState a = run.newState();
              LayerState b = run.newState()) {
            run.attend(a, 0, 9);
            run.append(b, 0, 9);
            assertEquals(9, b.length());
            assertArrayEquals(run.attend(a, 9, 12), run.attend(b, 9, 12));
          }
        });
  }
}
