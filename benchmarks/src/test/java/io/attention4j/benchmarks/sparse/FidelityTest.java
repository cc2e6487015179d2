package io.attention4j.benchmarks.sparse;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.benchmarks.measure.Bench;
import io.attention4j.benchmarks.measure.Rounds;
import io.attention4j.benchmarks.report.Report;
import io.attention4j.benchmarks.report.Table;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.DeviceOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The measurements of sparse operators, on operators whose answer is known. */
class FidelityTest {
  private static final int TOKENS = 96;

  private static KernelSelector kernels() {
    return KernelSelector.open("cpu.simd", new DeviceOptions(2));
  }

  @Test
  void weightsOfAWindowAreThoseOfAWindow() {
    LayerInput input = PlantedInputs.random(TOKENS, 2, 16, 1);
    float[] sums = new float[TOKENS];
    try (KernelSelector kernels = kernels()) {
      WeightProbe.run(
          kernels,
          input,
          "window:tokens=10",
          true,
          (first, weights) -> {
            for (int row = 0; row < TOKENS; row++) {
              for (int key = first; key < first + 16; key++) {
                float weight = weights[row * 2 * 16 + key - first]; // of head 0
                sums[row] += weight;
                assertEquals(key <= row && key > row - 10, weight != 0, row + " " + key);
              }
            }
          });
    }
    for (float sum : sums) {
      assertEquals(1, sum, 1e-5);
    }
  }

  @Test
  void denseAttentionHasNoErrorAndAFullRecall() {
    List<LayerInput> layers =
        List.of(
            PlantedInputs.needles(TOKENS, 2, 16, 1),
            PlantedInputs.clusters(TOKENS, 2, 16, 1),
            PlantedInputs.heavyColumns(TOKENS, 2, 16, 1));
    try (KernelSelector kernels = kernels()) {
      List<Fidelity> results =
          Fidelity.of(
              kernels, layers, List.of("softmax", "window:tokens=1", "window:tokens=96"), true);
      assertEquals(0, results.get(0).error(), 1e-6);
      assertEquals(1, results.get(0).recall(), 1e-5);
      assertEquals(1, results.get(0).read(), 1e-9);
      assertTrue(results.get(1).error() > 0.5);
      // Of row i one key in i + 1.
      double harmonic = 0;
      for (int i = 1; i <= TOKENS; i++) {
        harmonic += 1.0 / i;
      }
      assertEquals(harmonic / TOKENS, results.get(1).read(), 1e-9);
      assertEquals(0, results.get(2).error(), 1e-5);
    }
  }

  @Test
  void costsAreReportedByOperatorAndLength(@TempDir Path folder) throws IOException {
    String routing = "routing:clusters=sqrt(N);tokens=sqrt(N)";
    CostSuite suite =
        new CostSuite(
            new CostSuite.Sizes(
                List.of("window:tokens=16", routing),
                List.of("nystrom:landmarks=8"),
                List.of("block-topk:block=8;k=1", "nosa:gate=random"),
                List.of(64, 128),
                List.of(64),
                List.of(200),
                List.of("f32", "f16"),
                List.of(64, 128, 256),
                List.of(routing),
                2,
                16,
                CostSuite.Dense.MEASURED,
                folder));
    CostSuite later =
        new CostSuite(
            new CostSuite.Sizes(
                List.of("window:tokens=16", "window:tokens=8"),
                List.of(),
                List.of(),
                List.of(64),
                List.of(),
                List.of(),
                List.of("f32"),
                List.of(),
                List.of(),
                2,
                16,
                CostSuite.Dense.EARLIER,
                folder));
    try (KernelSelector kernels = kernels()) {
      Duration brief = Duration.ofMillis(1);
      Bench bench = new Bench(kernels, new Rounds(1, brief, brief, brief), brief, brief, _ -> {});
      Report report = suite.run(bench);
      assertEquals(
          List.of(12, 8, 4, 6, 1),
          report.tables().stream().map(table -> table.rows().size()).toList());
      assertEquals(6, report.charts().size());
      Table exponent = report.tables().get(3);
      assertEquals(2, exponent.notes().size());
      assertTrue(exponent.notes().getLast().contains("f16, 2 heads: time grows as N^"));
      report.write(folder);

      Report merged = later.run(bench);
      Table causal = merged.tables().getFirst();
      assertEquals(
          List.of(13, 8, 4, 6, 1),
          merged.tables().stream().map(table -> table.rows().size()).toList());
      List<Object> last =
          causal.rows().stream().filter(row -> row.contains("window:tokens=8")).toList().getFirst();
      assertTrue(last.contains("earlier"));
      assertEquals(6, merged.charts().size());
    }
  }

  @Test
  void aPictureHasAPixelPerRowAndKey(@TempDir Path folder) throws IOException {
    Path file = folder.resolve("new").resolve("window.png");
    try (KernelSelector kernels = kernels()) {
      PatternPictures.ofDemoModel(kernels, 64).draw("window:tokens=8", true, file);
    }
    var image = ImageIO.read(file.toFile());
    assertEquals(64, image.getWidth());
    int hidden = image.getRGB(40, 20);
    int unread = image.getRGB(2, 20);
    int read = image.getRGB(20, 20);
    assertEquals(0xFFE0E0E0, hidden);
    assertEquals(0xFFFFFFFF, unread);
    assertTrue(read != hidden && read != unread);
    assertEquals(unread, image.getRGB(12, 20));
    assertTrue(image.getRGB(13, 20) != unread);
  }
}
