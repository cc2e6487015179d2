package io.attention4j.benchmarks.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.awt.Font;
import java.awt.GraphicsEnvironment;
import java.awt.image.BufferedImage;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReportTest {
  private static Table table() {
    Table table =
        new Table(
            "speeds",
            "Speeds",
            List.of(Column.of("kernel"), Column.of("N"), new Column("GFLOP/s", 1)));
    table.add("a|b, \"c\"", 512, 1.0 / 3);
    table.add("d", 8192, null);
    table.note("Counted.");
    table.note("Counted.");
    return table;
  }

  private static BarChart chart() {
    BarChart chart = new BarChart("bars", "Bars", "GFLOP/s");
    chart.add("x", new LinkedHashMap<>(Map.of("ours", 1.0)));
    chart.add("y", new LinkedHashMap<>(Map.of("ours", 2.0, "theirs", 3.0)));
    chart.add("z", new LinkedHashMap<>(Map.of("theirs", 4.0)));
    return chart;
  }

  private static Report report(List<BarChart> charts) {
    return new Report("speed", "Speed", List.of("date today"), List.of(table()), charts);
  }

  @Test
  void csvHasNumbersInFullAndQuotesWhatMustBe() {
    assertEquals(
        """
        kernel,N,GFLOP/s
        "a|b, ""c""\",512,0.3333333333333333
        d,8192,
        """,
        Report.csv(table()));
  }

  @Test
  void markdownEscapesBarsAndAlignsNumbers() {
    assertEquals(
        """
        # Speed

        - date today

        ## Speeds

        | kernel | N | GFLOP/s |
        |---|---:|---:|
        | a\\|b, "c" | 512 | 0.3 |
        | d | 8192 | - |

        Counted.

        ![Bars](bars.png)
        """,
        report(List.of(chart())).markdown());
  }

  @Test
  void textColumnsAlign() {
    StringWriter text = new StringWriter();
    report(List.of()).print(new PrintWriter(text));
    assertEquals(
        List.of(
            "Speed",
            "date today",
            "",
            "Speeds",
            "  kernel       N  GFLOP/s",
            "  a|b, \"c\"   512      0.3",
            "  d         8192        -",
            "  Counted."),
        text.toString().lines().toList());
  }

  @Test
  void seriesHaveAGapWhereTheyHaveNoValue() {
    BarChart chart = chart();
    assertEquals(List.of("x", "y", "z"), chart.labels());
    assertEquals(Arrays.asList(1.0, 2.0, null), chart.series().get("ours"));
    assertEquals(Arrays.asList(null, 3.0, 4.0), chart.series().get("theirs"));
  }

  @Test
  void rowsMustFillTheColumns() {
    assertThrows(IllegalArgumentException.class, () -> table().add("only"));
  }

  @Test
  void everyFileIsWritten(@TempDir Path folder) throws Exception {
    assumeTrue(hasFonts(), "SKIPPED: this JDK has no fonts, so plots cannot be drawn here");
    Path target = folder.resolve("made").resolve("here");
    report(List.of(chart())).write(target);
    assertEquals(report(List.of(chart())).markdown(), Files.readString(target.resolve("speed.md")));
    assertEquals(Report.csv(table()), Files.readString(target.resolve("speeds.csv")));
    BufferedImage image = ImageIO.read(target.resolve("bars.png").toFile());
    assertTrue(image.getWidth() >= 900 && image.getHeight() == 500, image.toString());
    assertTrue(
        Arrays.stream(image.getRGB(0, 0, image.getWidth(), 500, null, 0, image.getWidth()))
            .anyMatch(rgb -> rgb == 0xFF0072B2),
        "no bar of the first colour");
  }

  /** A JDK without fontconfig throws here, one of several errors by version. */
  private static boolean hasFonts() {
    System.setProperty("java.awt.headless", "true");
    try {
      GraphicsEnvironment.getLocalGraphicsEnvironment().getAvailableFontFamilyNames();
      return new Font(Font.SANS_SERIF, Font.PLAIN, 12).canDisplay('A');
    } catch (RuntimeException | Error e) {
      System.err.println("no fonts: " + e);
      return false;
    }
  }
}
