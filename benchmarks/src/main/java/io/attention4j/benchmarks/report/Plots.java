package io.attention4j.benchmarks.report;

import java.awt.Color;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.CategoryChart;
import org.knowm.xchart.CategoryChartBuilder;
import org.knowm.xchart.style.Styler;

/** Draws charts with XChart, without a display. */
final class Plots {
  private static final int LEAST_WIDTH_PX = 900;
  private static final int BAR_WIDTH_PX = 16;
  private static final int HEIGHT_PX = 500;

  /** Okabe and Ito's colours, which the colour-blind can tell apart. */
  private static final Color[] COLORS = {
    new Color(0x0072B2),
    new Color(0xE69F00),
    new Color(0x009E73),
    new Color(0xD55E00),
    new Color(0x56B4E9),
    new Color(0xCC79A7)
  };

  private Plots() {}

  static void write(BarChart bars, Path file) throws IOException {
    System.setProperty("java.awt.headless", "true");
    int width = BAR_WIDTH_PX * (bars.series().size() + 1) * bars.labels().size();
    CategoryChart chart =
        new CategoryChartBuilder()
            .width(Math.max(LEAST_WIDTH_PX, width))
            .height(HEIGHT_PX)
            .title(bars.title())
            .yAxisTitle(bars.unit())
            .build();
    chart.getStyler().setChartBackgroundColor(Color.WHITE);
    chart.getStyler().setSeriesColors(COLORS);
    chart.getStyler().setLegendPosition(Styler.LegendPosition.OutsideS);
    chart.getStyler().setLegendLayout(Styler.LegendLayout.Horizontal);
    chart.getStyler().setXAxisLabelRotation(45);
    chart.getStyler().setYAxisMin(0.0);
    chart.getStyler().setPlotGridVerticalLinesVisible(false);
    for (var series : bars.series().entrySet()) {
      List<Double> heights =
          series.getValue().stream().map(value -> value == null ? 0.0 : value).toList();
      chart.addSeries(series.getKey(), bars.labels(), heights);
    }
    BitmapEncoder.saveBitmap(chart, file.toString(), BitmapEncoder.BitmapFormat.PNG);
  }
}
