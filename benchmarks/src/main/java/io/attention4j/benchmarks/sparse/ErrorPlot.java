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

  private ErrorPlot() {}

  /** Of rows (data, N, operator, error, recall, read, times as fast, ...). */
  static void write(String title, List<List<Object>> rows, Path file) throws IOException {
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
    chart.getStyler().setXAxisMin(0.0);
    chart.getStyler().setYAxisMin(0.0);
    chart.getStyler().setMarkerSize(11);
    for (List<Object> row : rows) {
      double error = (Double) row.get(3);
      double speedup = (Double) row.get(6);
      chart.addSeries((String) row.get(2), new double[] {speedup}, new double[] {error});
    }
    BitmapEncoder.saveBitmap(chart, file.toString(), BitmapEncoder.BitmapFormat.PNG);
  }
}
