package io.attention4j.benchmarks.mqar;

import io.attention4j.benchmarks.report.BarChart;
import io.attention4j.benchmarks.report.Column;
import io.attention4j.benchmarks.report.Report;
import io.attention4j.benchmarks.report.Table;
import io.attention4j.engine.recurrent.layer.SequenceLayer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * Recall of every operator on the settings of Zoology's figure 2, with the numbers its state holds.
 *
 * @param examples per setting
 * @param seed of examples and codes
 * @param progress told of each row
 */
public record MqarSuite(int examples, long seed, Consumer<String> progress) {
  private static final int VOCABULARY = 8192;
  private static final int[][] SETTINGS = {{64, 4}, {128, 8}, {256, 16}, {512, 64}};

  private enum Shift {
    SOFTMAX,
    WINDOW,
    FIXED,
    CONVOLUTION,
    META_MIXER
  }

  /** A row of the table. */
  private record Contender(
      String first,
      String second,
      Shift shift,
      int keyDim,
      Function<RecallModels, SequenceLayer> layer) {}

  /** Checks the number. */
  public MqarSuite {
    if (examples < 1) {
      throw new IllegalArgumentException("examples " + examples + " must be at least 1");
    }
  }

  private static List<Contender> contenders() {
    List<Contender> all = new ArrayList<>();
    Function<RecallModels, SequenceLayer> softmax = RecallModels::softmax;
    all.add(new Contender("softmax", "softmax", Shift.SOFTMAX, 0, softmax));
    all.add(new Contender("window 2", "softmax", Shift.WINDOW, 0, softmax));
    all.add(new Contender("fixed map", "softmax", Shift.FIXED, 0, softmax));
    all.add(new Contender("convolution", "softmax", Shift.CONVOLUTION, 0, softmax));
    all.add(new Contender("metamixer", "softmax", Shift.META_MIXER, 0, softmax));
    all.add(new Contender("convolution", "sigmoid", Shift.CONVOLUTION, 0, RecallModels::sigmoid));
    for (int window : new int[] {32, 128}) {
      all.add(
          new Contender(
              "convolution",
              "window " + window,
              Shift.CONVOLUTION,
              0,
              models -> models.window(window)));
    }
    for (int keyDim : new int[] {8, 16, 32, 64}) {
      all.add(new Contender("window 2", "based", Shift.WINDOW, keyDim, RecallModels::based));
    }
    for (int keyDim : new int[] {16, 64, 256, 1024}) {
      all.add(new Contender("window 2", "linear", Shift.WINDOW, keyDim, RecallModels::linear));
    }
    for (int keyDim : new int[] {16, 64, 256}) {
      add(all, "retnet", keyDim, RecallModels::retnet);
      add(all, "deltanet", keyDim, RecallModels::deltanet);
      add(all, "gdn", keyDim, RecallModels::gatedDeltanet);
      add(all, "gla", keyDim, RecallModels::gla);
      add(all, "mamba2", keyDim, RecallModels::mamba2);
      add(all, "kda", keyDim, RecallModels::kda);
      add(all, "rwkv7", keyDim, RecallModels::rwkv7);
    }
    for (int keyDim : new int[] {16, 64}) {
      add(all, "s6", keyDim, RecallModels::s6);
    }
    for (int address : new int[] {4, 6, 8}) {
      String name = "qlstm, " + (1 << address) + " slots";
      add(all, name, 0, models -> models.quasiLstm(address));
    }
    for (int keyDim : new int[] {64, 256}) {
      add(all, "titans linear, chunk 1", keyDim, models -> models.titans(1));
      add(all, "titans linear, chunk 16", keyDim, models -> models.titans(16));
      add(all, "yaad", keyDim, RecallModels::yaad);
      add(all, "moneta", keyDim, RecallModels::moneta);
      add(all, "memora", keyDim, RecallModels::memora);
    }
    add(all, "static embeddings", 0, RecallModels::staticEmbeddings);
    add(all, "non-approximate", 0, RecallModels::nonApproximate);
    add(all, "aaren", 0, RecallModels::aaren);
    add(all, "lama", 0, RecallModels::lama);
    add(all, "metamixer", 0, RecallModels::metaMixer);
    add(all, "mlp", 0, RecallModels::mlp);
    return all;
  }

  private static void add(
      List<Contender> all, String name, int keyDim, Function<RecallModels, SequenceLayer> layer) {
    all.add(new Contender("convolution", name, Shift.CONVOLUTION, keyDim, layer));
  }

  /** Runs every row on every setting. */
  public Report run() {
    List<Column> columns = new ArrayList<>();
    columns.add(Column.of("first layer"));
    columns.add(Column.of("second layer"));
    columns.add(Column.of("key elements"));
    columns.add(Column.of("state numbers at 512"));
    for (int[] setting : SETTINGS) {
      columns.add(new Column("recall % (" + setting[0] + ", " + setting[1] + ")", 1));
    }
    Table table = new Table("mqar", "Recall by operator and state size", columns);
    BarChart chart = new BarChart("mqar", "MQAR at 512 tokens, 64 pairs", "recall in %");
    for (Contender contender : contenders()) {
      progress.accept(contender.first() + " + " + contender.second());
      Codes codes =
          contender.keyDim() == 0
              ? Codes.binary(VOCABULARY)
              : Codes.random(VOCABULARY, contender.keyDim(), seed);
      Object[] cells = new Object[columns.size()];
      cells[0] = contender.first();
      cells[1] = contender.second();
      cells[2] = codes.keyDim();
      for (int s = 0; s < SETTINGS.length; s++) {
        MqarTask task = MqarTask.of(SETTINGS[s][0], SETTINGS[s][1], seed);
        RecallModel.Result result = model(contender, codes, task).run(task, examples);
        cells[4 + s] = 100 * result.recall();
        cells[3] = result.stateNumbers();
      }
      table.add(cells);
      Map<String, Double> bar = new LinkedHashMap<>();
      bar.put("recall", (Double) cells[cells.length - 1]);
      chart.add(contender.second() + " " + codes.keyDim(), bar);
    }
    table.note(
        "Weights are built by hand, not trained: the first layer brings each token the code of the"
            + " one before it, the second looks up. What is missing to 100 is what its state, with"
            + " these codes, cannot hold or its form cannot ask.");
    table.note(
        "Settings are (tokens, pairs), vocabulary 8192, a = 0.01, one pass, other tokens 0; state"
            + " numbers are those of both layers after the last token.");
    return new Report(
        "mqar",
        "Multi-query associative recall",
        List.of(
            "examples  " + examples + " per setting, seed " + seed,
            "computed  in float64 by the layers of engine-core; the same on every machine"),
        List.of(table),
        List.of(chart));
  }

  private static RecallModel model(Contender contender, Codes codes, MqarTask task) {
    boolean depthwise =
        contender.shift() == Shift.CONVOLUTION || contender.shift() == Shift.META_MIXER;
    RecallModels models = new RecallModels(depthwise ? codes.withCopy() : codes);
    return models.model(
        switch (contender.shift()) {
          case SOFTMAX -> models.softmaxShift();
          case WINDOW -> models.windowShift();
          case FIXED -> models.fixedShift(task.length());
          case CONVOLUTION -> models.convShift();
          case META_MIXER -> models.metaMixerShift();
        },
        contender.layer().apply(models));
  }
}
