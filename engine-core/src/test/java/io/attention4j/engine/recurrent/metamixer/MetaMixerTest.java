package io.attention4j.engine.recurrent.metamixer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.attention4j.engine.recurrent.Cases;
import io.attention4j.engine.recurrent.Gates;
import io.attention4j.engine.recurrent.Rows;
import io.attention4j.engine.recurrent.layer.MetaMixerLayer;
import io.attention4j.engine.recurrent.layer.Projection;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class MetaMixerTest {
  private static final int CHANNELS = 3;
  private static final int HEIGHT = 11;
  private static final int WIDTH = 13;

  private static FeatureMap image(double seed) {
    int pixels = HEIGHT * WIDTH;
    return new FeatureMap(CHANNELS, HEIGHT, WIDTH, Cases.wave(seed, CHANNELS, pixels).values());
  }

  private static double[] vector(double seed) {
    return Cases.wave(seed, 1, CHANNELS).values();
  }

  private static DepthwiseConv conv(double seed, int size) {
    return new DepthwiseConv(size, Cases.wave(seed, CHANNELS, size * size), vector(seed + 1));
  }

  private static BatchNorm norm(double seed) {
    double[] variance = Cases.wave(seed + 3, 1, CHANNELS).map(x -> 1.2 + x).values();
    return new BatchNorm(vector(seed), vector(seed + 1), vector(seed + 2), variance, 1e-5);
  }

  private static ConvBranches branches(double seed) {
    return new ConvBranches(
        List.of(
            new ConvBranches.Branch(conv(seed, 7), norm(seed)),
            new ConvBranches.Branch(conv(seed + 0.5, 3), norm(seed + 0.5))));
  }

  private static Projection map(double seed, int in, int out) {
    return new Projection(Cases.wave(seed, in, out), Cases.wave(seed + 1, 1, out).values());
  }

  private static MetaMixerBlock block(ConvBranches keys, ConvBranches values) {
    return new MetaMixerBlock(
        map(0.2, CHANNELS, CHANNELS),
        norm(0.3),
        keys,
        values,
        vector(0.4),
        branches(0.9),
        map(0.5, CHANNELS, 3 * CHANNELS),
        map(0.6, 3 * CHANNELS, CHANNELS),
        vector(0.7));
  }

  private static final MetaMixerBlock BLOCK = block(branches(0.1), branches(0.8));

  @Test
  void theFusedBlockIsTheBlock() {
    FeatureMap x = image(0.15);
    Cases.assertClose(
        BLOCK.apply(x).values(), BLOCK.fused().apply(x).values(), "norms and branches folded");
    Cases.assertClose(
        branches(0.1).apply(x).values(), branches(0.1).fused().apply(x).values(), "7 and 3");
  }

  @Test
  void aNormBeforeAMapFoldsIntoIt() {
    FeatureMap x = image(0.15);
    Projection map = map(0.2, CHANNELS, 5);
    Cases.assertClose(
        MetaMixerBlock.perPixel(map, norm(0.3).apply(x)).values(),
        MetaMixerBlock.perPixel(norm(0.3).foldBefore(map), x).values(),
        "norm, map");
  }

  /** Away from the border, DW_V(DW_K(q)) is the convolution with conv(K, V). */
  @Test
  void withoutTheActivationKeysAndValuesAreOneKernel() {
    DepthwiseConv k = conv(0.1, 3);
    DepthwiseConv v = conv(0.8, 3);
    double[] joined = new double[CHANNELS * 25];
    double[] bias = v.bias().clone();
    for (int c = 0; c < CHANNELS; c++) {
      for (int b = 0; b < 9; b++) {
        bias[c] += v.weight().at(c, b) * k.bias()[c];
        for (int a = 0; a < 9; a++) {
          int row = a / 3 + b / 3;
          int column = a % 3 + b % 3;
          joined[c * 25 + row * 5 + column] += k.weight().at(c, a) * v.weight().at(c, b);
        }
      }
    }
    FeatureMap x = image(0.15);
    FeatureMap two = v.apply(k.apply(x));
    FeatureMap one = new DepthwiseConv(5, new Rows(joined, 25), bias).apply(x);
    for (int c = 0; c < CHANNELS; c++) {
      for (int row = 1; row < HEIGHT - 1; row++) {
        for (int column = 1; column < WIDTH - 1; column++) {
          assertEquals(two.at(c, row, column), one.at(c, row, column), 1e-13);
        }
      }
    }
  }

  @Test
  void theInteriorMovesWithTheImage() {
    MetaMixerBlock block = block(ConvBranches.of(conv(0.1, 3)), ConvBranches.of(conv(0.8, 3)));
    FeatureMap x = image(0.15);
    double[] moved = new double[x.values().length];
    for (int i = 0; i < moved.length; i++) {
      moved[i] = i % WIDTH == 0 ? 0 : x.values()[i - 1];
    }
    FeatureMap y = block.mixTokens(x);
    FeatureMap ofMoved = block.mixTokens(new FeatureMap(CHANNELS, HEIGHT, WIDTH, moved));
    for (int c = 0; c < CHANNELS; c++) {
      for (int row = 0; row < HEIGHT; row++) {
        for (int column = 3; column < WIDTH - 3; column++) {
          assertEquals(y.at(c, row, column), ofMoved.at(c, row, column + 1), 1e-13);
        }
      }
    }
  }

  @Test
  void channelsMeetInTheQueryMapOnly() {
    double[] identity = new double[CHANNELS * CHANNELS];
    for (int c = 0; c < CHANNELS; c++) {
      identity[c * CHANNELS + c] = 1;
    }
    MetaMixerBlock block =
        new MetaMixerBlock(
            new Projection(new Rows(identity, CHANNELS)),
            null,
            branches(0.1),
            branches(0.8),
            null,
            branches(0.9),
            map(0.5, CHANNELS, CHANNELS),
            map(0.6, CHANNELS, CHANNELS),
            null);
    FeatureMap x = image(0.15);
    double[] changed = x.values().clone();
    Arrays.fill(changed, 0, HEIGHT * WIDTH, 7);
    FeatureMap y = block.mixTokens(x);
    FeatureMap other = block.mixTokens(new FeatureMap(CHANNELS, HEIGHT, WIDTH, changed));
    for (int i = HEIGHT * WIDTH; i < changed.length; i++) {
      assertEquals(y.values()[i], other.values()[i]);
    }
  }

  @Test
  void withKernelsOfOneItIsAnFfnWithDiagonalMatrices() {
    MetaMixerBlock block = block(ConvBranches.of(conv(0.1, 1)), ConvBranches.of(conv(0.8, 1)));
    FeatureMap x = image(0.15);
    FeatureMap y = block.mixTokens(x);
    FeatureMap q = norm(0.3).apply(MetaMixerBlock.perPixel(map(0.2, CHANNELS, CHANNELS), x));
    DepthwiseConv k = conv(0.1, 1);
    DepthwiseConv v = conv(0.8, 1);
    for (int c = 0; c < CHANNELS; c++) {
      double a = Gates.gelu(k.weight().at(c, 0) * q.at(c, 4, 5) + k.bias()[c]);
      assertEquals(v.weight().at(c, 0) * a + v.bias()[c], y.at(c, 4, 5), 1e-14);
    }
  }

  /** A sequence is an image of one row whose kernels have zeros for later tokens. */
  @Test
  void theCausalLayerIsTheMixerWithKernelsThatLookBack() {
    Projection query = map(0.2, CHANNELS, CHANNELS);
    Rows k = Cases.wave(0.1, CHANNELS, 3);
    Rows v = Cases.wave(0.8, CHANNELS, 2);
    MetaMixerLayer layer = new MetaMixerLayer(query, k, vector(0.3), v, null);
    Rows x = Cases.wave(0.15, 9, CHANNELS);
    Rows y = layer.run(x, x, layer.newState());
    double[] line = new double[9 * CHANNELS];
    for (int i = 0; i < line.length; i++) {
      line[i] = x.at(i % 9, i / 9);
    }
    FeatureMap q = MetaMixerBlock.perPixel(query, new FeatureMap(CHANNELS, 1, 9, line));
    FeatureMap scores = lookingBack(k, vector(0.3)).apply(q).map(Gates::gelu);
    // Values before the first token are zeros there and GELU of no token here: the same.
    FeatureMap out = lookingBack(v, new double[CHANNELS]).apply(scores);
    for (int t = 0; t < 9; t++) {
      for (int c = 0; c < CHANNELS; c++) {
        assertEquals(out.at(c, 0, t), y.at(t, c), 1e-14);
      }
    }
  }

  private static DepthwiseConv lookingBack(Rows taps, double[] bias) {
    int size = 2 * taps.width() - 1;
    double[] kernel = new double[CHANNELS * size * size];
    for (int c = 0; c < CHANNELS; c++) {
      for (int i = 0; i < taps.width(); i++) {
        kernel[(c * size + size / 2) * size + i] = taps.at(c, i);
      }
    }
    return new DepthwiseConv(size, new Rows(kernel, size * size), bias);
  }

  @Test
  void refusals() {
    assertEquals(
        "a kernel of size 4 has no middle; use an odd size",
        assertThrows(IllegalArgumentException.class, () -> conv(0, 4)).getMessage());
    assertThrows(
        IllegalArgumentException.class,
        () -> new BatchNorm(vector(0), vector(0), vector(0), new double[CHANNELS], 0));
    assertThrows(IllegalArgumentException.class, () -> new FeatureMap(2, 2, 2, new double[7]));
    assertThrows(
        IllegalArgumentException.class, () -> BLOCK.apply(new FeatureMap(2, 2, 2, new double[8])));
    assertThrows(IllegalArgumentException.class, () -> new ConvBranches(List.of()));
    assertThrows(
        IllegalArgumentException.class,
        () ->
            new MetaMixerLayer(map(0, 3, 3), Cases.wave(0, 4, 3), null, Cases.wave(0, 3, 3), null));
  }
}
