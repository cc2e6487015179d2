package io.attention4j.kernels.opencl;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.CausalConvKernel;
import io.attention4j.engine.spi.CausalConvSpec;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.DeviceOptions;
import io.attention4j.engine.spi.LinearScanInputs;
import io.attention4j.engine.spi.LinearScanKernel;
import io.attention4j.engine.spi.LinearScanSpec;
import io.attention4j.engine.spi.LinearScanSpec.Decay;
import io.attention4j.engine.spi.LinearScanSpec.Write;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Linear scans and convolutions against the float64 reference on the same inputs. */
@ExtendWith(NeedsOpenCl.class)
class RecurrentTest {
  private static final int ROWS = 37;

  /**
   * Sums of up to 37 tokens times 64 elements of size one in f32, whose errors grow with the square
   * root of their number: 2^-24 sqrt(2368) = 3e-6 of the largest sum, times 8 to be safe.
   */
  private static final double TOLERANCE = 2.4e-5;

  static Stream<LinearScanSpec> specs() {
    List<LinearScanSpec> specs = new ArrayList<>();
    for (Decay decay : Decay.values()) {
      for (Write write : List.of(Write.ADD, Write.DELTA)) {
        specs.add(new LinearScanSpec(2, 2, 16, 24, 0.25f, decay, write));
      }
    }
    specs.add(new LinearScanSpec(6, 2, 64, 80, 0.125f, Decay.HEAD, Write.ADD));
    specs.add(new LinearScanSpec(1, 1, 1, 1, 1, Decay.KEY, Write.DELTA));
    return specs.stream();
  }

  @ParameterizedTest
  @MethodSource("specs")
  void scansAreTheReferences(LinearScanSpec spec) {
    try (KernelSelector reference = KernelSelector.open("reference", DeviceOptions.DEFAULTS);
        OpenClDevice device = new OpenClProvider().openDevice(ClSettings.read())) {
      List<float[]> expected = scan(reference.device(), spec, new int[] {ROWS});
      List<float[]> actual = scan(device, spec, new int[] {ROWS});
      requireClose(expected.get(0), actual.get(0));
      requireClose(expected.get(1), actual.get(1));
      List<float[]> pieces = scan(device, spec, new int[] {1, 20, 0, ROWS - 21});
      requireClose(expected.get(0), pieces.get(0));
      requireClose(expected.get(1), pieces.get(1));
    }
  }

  /** Output and final state, run in pieces. */
  private static List<float[]> scan(Device device, LinearScanSpec spec, int[] pieces) {
    SplittableRandom random = new SplittableRandom(spec.hashCode());
    int keys = spec.stateHeads() * spec.keyDim();
    // Keys of norm one at most, so that the delta rule is stable.
    float[] k = floats(random, ROWS * keys, 1 / (float) Math.sqrt(spec.keyDim()));
    float[] q = floats(random, ROWS * spec.queryHeads() * spec.keyDim(), 1);
    float[] v = floats(random, ROWS * spec.stateHeads() * spec.valueDim(), 1);
    float[] decay =
        floats(random, ROWS * (spec.decay() == Decay.KEY ? keys : spec.stateHeads()), 0.5f);
    for (int i = 0; i < decay.length; i++) {
      decay[i] = -Math.abs(decay[i]);
    }
    float[] beta = floats(random, ROWS * spec.stateHeads(), 0.5f);
    float[] state = floats(random, keys * spec.valueDim(), 1);
    float[] out = new float[ROWS * spec.queryHeads() * spec.valueDim()];
    try (Device.TensorArena arena = device.newArena()) {
      LinearScanKernel kernel = device.kernel(LinearScanKernel.class).orElseThrow();
      Tensor states =
          upload(device, arena, state, spec.stateHeads(), spec.keyDim(), spec.valueDim());
      int from = 0;
      for (int rows : pieces) {
        int most = Math.max(1, rows);
        Tensor y = arena.allocate(DType.F32, most, spec.queryHeads(), spec.valueDim());
        LinearScanInputs in =
            new LinearScanInputs(
                rows(device, arena, q, from, most, spec.queryHeads(), spec.keyDim()),
                rows(device, arena, k, from, most, spec.stateHeads(), spec.keyDim()),
                rows(device, arena, v, from, most, spec.stateHeads(), spec.valueDim()),
                spec.decay() == Decay.NONE
                    ? null
                    : rows(device, arena, decay, from, most, decay.length / ROWS, 1),
                spec.write() == Write.ADD
                    ? null
                    : rows(device, arena, beta, from, most, spec.stateHeads(), 1));
        kernel.run(spec, in, rows, states, y);
        float[] part = download(device, y);
        int width = spec.queryHeads() * spec.valueDim();
        System.arraycopy(part, 0, out, from * width, rows * width);
        from += rows;
      }
      return List.of(out, download(device, states));
    }
  }

  @Test
  void wideKeysAndRankOneWritesAreRefused() {
    try (OpenClDevice device = new OpenClProvider().openDevice(ClSettings.read())) {
      LinearScanKernel kernel = device.kernel(LinearScanKernel.class).orElseThrow();
      Support.No no =
          assertInstanceOf(
              Support.No.class,
              kernel.supports(new LinearScanSpec(1, 1, 512, 8, 1, Decay.NONE, Write.ADD)));
      assertTrue(no.reason().contains("keyDim 512"), no.reason());
      assertInstanceOf(
          Support.No.class,
          kernel.supports(new LinearScanSpec(1, 1, 8, 8, 1, Decay.KEY, Write.LOW_RANK)));
    }
  }

  @Test
  void convolutionsAreTheReferences() {
    try (KernelSelector reference = KernelSelector.open("reference", DeviceOptions.DEFAULTS);
        OpenClDevice device = new OpenClProvider().openDevice(ClSettings.read())) {
      for (int channels : new int[] {1, 5, 64, 128}) {
        for (int taps : new int[] {1, 2, 4}) {
          CausalConvSpec spec = new CausalConvSpec(channels, taps);
          List<float[]> expected = convolve(reference.device(), spec, new int[] {9});
          List<float[]> actual = convolve(device, spec, new int[] {1, 2, 6});
          requireClose(expected.get(0), actual.get(0));
          requireClose(expected.get(1), actual.get(1));
        }
      }
    }
  }

  private static List<float[]> convolve(Device device, CausalConvSpec spec, int[] pieces) {
    SplittableRandom random = new SplittableRandom(spec.hashCode());
    int channels = spec.channels();
    float[] x = floats(random, 9 * channels, 1);
    float[] weight = floats(random, channels * spec.kernelSize(), 1);
    float[] bias = floats(random, channels, 1);
    float[] state = floats(random, Math.max(1, spec.stateSize()), 1);
    float[] out = new float[9 * channels];
    CausalConvKernel kernel = device.kernel(CausalConvKernel.class).orElseThrow();
    try (Device.TensorArena arena = device.newArena()) {
      Tensor weights = upload(device, arena, weight, channels, spec.kernelSize());
      Tensor biases = upload(device, arena, bias, channels);
      Tensor states =
          spec.kernelSize() == 1
              ? null
              : upload(device, arena, state, channels, spec.kernelSize() - 1);
      int from = 0;
      for (int rows : pieces) {
        Tensor y = arena.allocate(DType.F32, rows, channels);
        Tensor in = rows(device, arena, x, from, rows, channels, 1).reshape(rows, channels);
        kernel.run(spec, in, rows, weights, biases, states, y);
        System.arraycopy(download(device, y), 0, out, from * channels, rows * channels);
        from += rows;
      }
      return List.of(out, states == null ? new float[0] : download(device, states));
    }
  }

  private static float[] floats(SplittableRandom random, int count, float largest) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextDouble(-largest, largest);
    }
    return values;
  }

  private static Tensor rows(
      Device device,
      Device.TensorArena arena,
      float[] all,
      int from,
      int rows,
      int heads,
      int dim) {
    float[] part = new float[rows * heads * dim];
    int first = from * heads * dim;
    System.arraycopy(all, first, part, 0, Math.min(part.length, all.length - first));
    return upload(device, arena, part, rows, heads, dim);
  }

  private static Tensor upload(
      Device device, Device.TensorArena arena, float[] values, long... extents) {
    Tensor tensor = arena.allocate(DType.F32, extents);
    device.upload(MemorySegment.ofArray(values), tensor);
    return tensor;
  }

  private static float[] download(Device device, Tensor tensor) {
    try (Arena host = Arena.ofConfined()) {
      MemorySegment bytes = host.allocate(tensor.byteSize());
      device.download(tensor, bytes);
      return bytes.toArray(Tensor.FLOAT);
    }
  }

  private static void requireClose(float[] expected, float[] actual) {
    assertEquals(expected.length, actual.length);
    double largest = 0;
    for (float x : expected) {
      largest = Math.max(largest, Math.abs(x));
    }
    for (int i = 0; i < expected.length; i++) {
      double error = Math.abs((double) expected[i] - actual[i]);
      assertTrue(
          error <= TOLERANCE * largest,
          "element " + i + " is " + actual[i] + " instead of " + expected[i]);
    }
  }
}
