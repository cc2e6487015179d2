package io.attention4j.benchmarks.sparse;

import io.attention4j.engine.runtime.KernelSelector;
import java.awt.image.BufferedImage;
import java.awt.image.IndexColorModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import javax.imageio.ImageIO;

/**
 * Draws which keys an operator reads, on a layer of the demo model: one pixel per row (downwards)
 * and key, the darker the larger its weight, white where it has none.
 */
public final class PatternPictures {
  private static final int LAYER = 2;
  private static final int HEAD = 0;
  private static final int SHADES = 16;

  /** Weight of the lightest shade; 1 is the darkest, and equal ratios are equal steps. */
  private static final double LEAST = 1e-5;

  private static final int HIDDEN = SHADES;
  private static final int UNREAD = SHADES + 1;

  private final KernelSelector kernels;
  private final LayerInput input;

  private PatternPictures(KernelSelector kernels, LayerInput input) {
    this.kernels = kernels;
    this.input = input;
  }

  /**
   * Pictures of a layer of the demo model, which reads a text that it wrote itself.
   *
   * @param tokens rows and keys
   * @throws IOException if the model cannot be read
   */
  public static PatternPictures ofDemoModel(KernelSelector kernels, int tokens) throws IOException {
    int threads = kernels.device().threads();
    int[] text;
    try (DemoRun run = new DemoRun("softmax", threads)) {
      text = run.written(tokens, 1);
    }
    return new PatternPictures(kernels, DemoRun.inputs(text, tokens, threads).get(LAYER));
  }

  /**
   * Draws an operator.
   *
   * @param file a PNG file; its folder is made
   */
  public void draw(String option, boolean causal, Path file) throws IOException {
    int tokens = input.tokens();
    BufferedImage image =
        new BufferedImage(tokens, tokens, BufferedImage.TYPE_BYTE_INDEXED, palette());
    int heads = input.queryHeads();
    int dim = input.headDim();
    WeightProbe.run(
        kernels,
        input,
        option,
        causal,
        (first, weights) -> {
          for (int row = 0; row < tokens; row++) {
            for (int key = first; key < Math.min(tokens, first + dim); key++) {
              float weight = weights[(row * heads + HEAD) * dim + key - first];
              image.getRaster().setSample(key, row, 0, shade(weight, causal && key > row));
            }
          }
        });
    Files.createDirectories(file.toAbsolutePath().getParent());
    ImageIO.write(image, "png", file.toFile());
  }

  private static int shade(float weight, boolean hidden) {
    if (weight == 0) {
      return hidden ? HIDDEN : UNREAD;
    }
    double depth = 1 - Math.log(Math.abs(weight)) / Math.log(LEAST);
    return Math.clamp(Math.round(depth * (SHADES - 1)), 0, SHADES - 1);
  }

  /** Light to dark blue, then grey for what the mask hides and white for what is not read. */
  private static IndexColorModel palette() {
    byte[] red = new byte[SHADES + 2];
    byte[] green = new byte[SHADES + 2];
    byte[] blue = new byte[SHADES + 2];
    for (int i = 0; i < SHADES; i++) {
      double dark = (double) i / (SHADES - 1);
      red[i] = (byte) Math.round(200 - 200 * dark);
      green[i] = (byte) Math.round(225 - 190 * dark);
      blue[i] = (byte) Math.round(245 - 120 * dark);
    }
    red[HIDDEN] = green[HIDDEN] = blue[HIDDEN] = (byte) 0xE0;
    red[UNREAD] = green[UNREAD] = blue[UNREAD] = (byte) 0xFF;
    return new IndexColorModel(8, SHADES + 2, red, green, blue);
  }
}
