package io.attention4j.benchmarks.sparse;

import java.awt.Color;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.Styler;

/** Error against speed-up, one point per operator. */
final class ErrorPlot {
  private static final int WIDTH_PX = 900;
  private static final int HEIGHT_PX = 560;

  /** An exact operator's rounding is no news; a logarithm needs a number. */
  private static final double LEAST_ERROR = 1e-4;

  private ErrorPlot() {}

  static void write(String title, List<String> options, List<Fidelity> results, Path file)
      throws IOException {
    System.setProperty("java.awt.headless", "true");
    XYChart chart =
        new XYChartBuilder()
            .width(WIDTH_PX)
            .height(HEIGHT_PX)
            .title(title)
            .xAxisTitle("times as fast as softmax")
            .yAxisTitle("error")
            .build();
    chart.getStyler().setDefaultSeriesRenderStyle(XYSeries.XYSeriesRenderStyle.Scatter);
    chart.getStyler().setChartBackgroundColor(Color.WHITE);
    chart.getStyler().setLegendPosition(Styler.LegendPosition.OutsideE);
    chart.getStyler().setYAxisLogarithmic(true);
    chart.getStyler().setMarkerSize(11);
    for (int i = 0; i < options.size(); i++) {
      Fidelity result = results.get(i);
      chart.addSeries(
          options.get(i),
          new double[] {result.speedup()},
          new double[] {Math.max(LEAST_ERROR, result.error())});
    }
    BitmapEncoder.saveBitmap(chart, file.toString(), BitmapEncoder.BitmapFormat.PNG);
  }
}
