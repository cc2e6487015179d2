package io.attention4j.engine.reference;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.spi.CausalConvKernel;
import io.attention4j.engine.spi.CausalConvSpec;
import io.attention4j.engine.spi.LinearScanInputs;
import io.attention4j.engine.spi.LinearScanKernel;
import io.attention4j.engine.spi.LinearScanSpec;
import io.attention4j.engine.spi.LinearScanSpec.Decay;
import io.attention4j.engine.spi.LinearScanSpec.Write;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ReferenceScansTest {
  /** A state that passes between two calls is rounded to F32. */
  private static final float ROUNDED_STATE = 1e-6f;

  private final Arena arena = Arena.ofConfined();
  private final LinearScanKernel scan = new ReferenceLinearScan();
  private final CausalConvKernel conv = new ReferenceCausalConv();

  @AfterEach
  void close() {
    arena.close();
  }

  private Tensor floats(float[] values, long... extents) {
    return Tensor.ofFloats(arena, values, extents);
  }

  private Tensor zeros(long... extents) {
    return Tensor.allocate(arena, DType.F32, extents);
  }

  private Tensor wave(double seed, double offset, long... extents) {
    Tensor tensor = zeros(extents);
    for (long n = 0; n < tensor.shape().elements(); n++) {
      tensor
          .segment()
          .setAtIndex(Tensor.FLOAT, n, (float) (0.5 * Math.sin(1.3 * n + seed) + offset));
    }
    return tensor;
  }

  /** decay ln 1/2: S = 1 * 2, then S = S / 2 + 3 * 5; y = 0.5 q S. */
  @Test
  void aGatedScanByHand() {
    LinearScanSpec spec = new LinearScanSpec(1, 1, 1, 1, 0.5f, Decay.HEAD, Write.ADD);
    float half = (float) Math.log(0.5);
    LinearScanInputs in =
        new LinearScanInputs(
            floats(new float[] {1, 4}, 2, 1, 1),
            floats(new float[] {1, 3}, 2, 1, 1),
            floats(new float[] {2, 5}, 2, 1, 1),
            floats(new float[] {half, half}, 2, 1),
            null);
    Tensor state = zeros(1, 1, 1);
    Tensor out = zeros(2, 1, 1);
    scan.run(spec, in, 2, state, out);
    assertArrayEquals(new float[] {1, 32}, out.toFloats(), 1e-6f);
    assertArrayEquals(new float[] {16}, state.toFloats(), 1e-6f);
  }

  /** S = 8, decays to 4; k = 1 recalls 4 and beta 1/2 moves it half way to 10. */
  @Test
  void aDeltaScanByHand() {
    LinearScanSpec spec = new LinearScanSpec(1, 1, 1, 1, 1, Decay.KEY, Write.DELTA);
    LinearScanInputs in =
        new LinearScanInputs(
            floats(new float[] {1}, 1, 1, 1),
            floats(new float[] {1}, 1, 1, 1),
            floats(new float[] {10}, 1, 1, 1),
            floats(new float[] {(float) Math.log(0.5)}, 1, 1, 1),
            floats(new float[] {0.5f}, 1, 1));
    Tensor state = floats(new float[] {8}, 1, 1, 1);
    Tensor out = zeros(1, 1, 1);
    scan.run(spec, in, 1, state, out);
    assertArrayEquals(new float[] {7}, out.toFloats(), 1e-6f);
    assertArrayEquals(new float[] {7}, state.toFloats(), 1e-6f);
  }

  private LinearScanInputs inputs(LinearScanSpec spec, int rows) {
    return new LinearScanInputs(
        wave(0.1, 0, rows, spec.queryHeads(), spec.keyDim()),
        wave(0.2, 0, rows, spec.stateHeads(), spec.keyDim()),
        wave(0.3, 0, rows, spec.stateHeads(), spec.valueDim()),
        switch (spec.decay()) {
          case NONE -> null;
          case HEAD -> wave(0.5, -0.6, rows, spec.stateHeads());
          case KEY -> wave(0.5, -0.6, rows, spec.stateHeads(), spec.keyDim());
        },
        spec.write() == Write.ADD ? null : wave(0.6, 0.5, rows, spec.stateHeads()));
  }

  private static Tensor tail(Tensor tensor, int from, int count) {
    return tensor == null ? null : tensor.slice(0, from, count);
  }

  @ParameterizedTest
  @CsvSource({"NONE,ADD", "HEAD,ADD", "KEY,ADD", "NONE,DELTA", "HEAD,DELTA", "KEY,DELTA"})
  void aSequenceInPartsIsTheSequence(Decay decay, Write write) {
    LinearScanSpec spec = new LinearScanSpec(6, 2, 4, 3, 0.5f, decay, write);
    int rows = 7;
    LinearScanInputs in = inputs(spec, rows);
    Tensor expectedState = wave(0.9, 0, 2, 4, 3);
    Tensor expected = zeros(rows, 6, 3);
    scan.run(spec, in, rows, expectedState, expected);
    for (int split = 0; split <= rows; split++) {
      Tensor state = wave(0.9, 0, 2, 4, 3);
      Tensor out = zeros(rows, 6, 3);
      scan.run(spec, in, split, state, out);
      int rest = rows - split;
      LinearScanInputs later =
          new LinearScanInputs(
              tail(in.q(), split, rest),
              tail(in.k(), split, rest),
              tail(in.v(), split, rest),
              tail(in.decay(), split, rest),
              tail(in.beta(), split, rest));
      if (rest > 0) {
        scan.run(spec, later, rest, state, tail(out, split, rest));
      }
      assertArrayEquals(expected.toFloats(), out.toFloats(), ROUNDED_STATE);
      assertArrayEquals(expectedState.toFloats(), state.toFloats(), ROUNDED_STATE);
    }
  }

  @Test
  void queryHeadsOfAGroupShareTheirState() {
    LinearScanSpec spec = new LinearScanSpec(2, 1, 4, 3, 1, Decay.KEY, Write.DELTA);
    LinearScanInputs in = inputs(spec, 5);
    for (int t = 0; t < 5; t++) {
      for (int i = 0; i < 4; i++) {
        in.q().set(in.q().get(t, 0, i), t, 1, i);
      }
    }
    Tensor out = zeros(5, 2, 3);
    scan.run(spec, in, 5, zeros(1, 4, 3), out);
    for (int t = 0; t < 5; t++) {
      for (int d = 0; d < 3; d++) {
        assertEquals(out.get(t, 0, d), out.get(t, 1, d));
      }
    }
    assertTrue(Math.abs(out.get(4, 0, 0)) > 1e-3, "something was recalled");
  }

  @Test
  void refusalsOfTheScan() {
    LinearScanSpec spec = new LinearScanSpec(6, 2, 4, 3, 1, Decay.KEY, Write.ADD);
    LinearScanInputs in = inputs(spec, 5);
    Tensor out = zeros(5, 6, 3);
    String state =
        assertThrows(
                IllegalArgumentException.class, () -> scan.run(spec, in, 5, zeros(2, 3, 3), out))
            .getMessage();
    assertTrue(state.startsWith("state must be contiguous F32 [>= 2, 12]"), state);
    String missing =
        assertThrows(
                IllegalArgumentException.class,
                () ->
                    scan.run(
                        spec,
                        new LinearScanInputs(in.q(), in.k(), in.v(), null, null),
                        5,
                        zeros(2, 4, 3),
                        out))
            .getMessage();
    assertTrue(missing.startsWith("decay KEY and write ADD need a decay tensor"), missing);
    String heads =
        assertThrows(
                IllegalArgumentException.class,
                () -> new LinearScanSpec(3, 2, 4, 4, 1, Decay.NONE, Write.ADD))
            .getMessage();
    assertTrue(heads.startsWith("queryHeads 3 must be a positive multiple of stateHeads 2"), heads);
  }

  /** Two channels, three taps; channel 0 sums its window, channel 1 takes the oldest tap. */
  @Test
  void aConvolutionByHand() {
    CausalConvSpec spec = new CausalConvSpec(2, 3);
    Tensor weight = floats(new float[] {1, 1, 1, 1, 0, 0}, 2, 3);
    Tensor bias = floats(new float[] {0, 100}, 2);
    Tensor state = floats(new float[] {1, 2, 7, 8}, 2, 2);
    Tensor x = floats(new float[] {3, 9, 4, 10, 5, 11}, 3, 2);
    Tensor out = zeros(3, 2);
    conv.run(spec, x, 3, weight, bias, state, out);
    assertArrayEquals(new float[] {6, 107, 9, 108, 12, 109}, out.toFloats());
    assertArrayEquals(new float[] {4, 5, 10, 11}, state.toFloats());
  }

  @Test
  void aConvolutionTokenByTokenIsTheWhole() {
    CausalConvSpec spec = new CausalConvSpec(3, 4);
    Tensor weight = wave(0.4, 0, 3, 4);
    Tensor x = wave(0.1, 0, 6, 3);
    Tensor expectedState = zeros(3, 3);
    Tensor expected = zeros(6, 3);
    conv.run(spec, x, 6, weight, null, expectedState, expected);
    Tensor state = zeros(3, 3);
    Tensor out = zeros(6, 3);
    for (int t = 0; t < 6; t++) {
      conv.run(spec, tail(x, t, 1), 1, weight, null, state, tail(out, t, 1));
    }
    assertArrayEquals(expected.toFloats(), out.toFloats());
    assertArrayEquals(expectedState.toFloats(), state.toFloats());
    assertTrue(Arrays.equals(expectedState.toFloats(), lastRows(x)), "the last three inputs");
  }

  private static float[] lastRows(Tensor x) {
    float[] last = new float[9];
    for (int c = 0; c < 3; c++) {
      for (int i = 0; i < 3; i++) {
        last[c * 3 + i] = x.get(3 + i, c);
      }
    }
    return last;
  }

  @Test
  void refusalsOfTheConvolution() {
    CausalConvSpec spec = new CausalConvSpec(2, 3);
    Tensor x = zeros(4, 2);
    String state =
        assertThrows(
                IllegalArgumentException.class,
                () -> conv.run(spec, x, 4, zeros(2, 3), null, null, zeros(4, 2)))
            .getMessage();
    assertEquals("a kernel of 3 taps needs a state [2, 2]; zeros start a sequence", state);
    String weight =
        assertThrows(
                IllegalArgumentException.class,
                () -> conv.run(spec, x, 4, zeros(2, 4), null, zeros(2, 2), zeros(4, 2)))
            .getMessage();
    assertTrue(weight.startsWith("weight must be contiguous F32 [>= 2, 3]"), weight);
  }
}
