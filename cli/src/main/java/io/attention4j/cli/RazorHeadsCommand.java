package io.attention4j.cli;

import io.attention4j.kvcache.policy.HeadTable;
import io.attention4j.kvcache.policy.Razor;
import io.attention4j.llm.LanguageModel;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code attention4j razor-heads}: finds a model's retrieval heads. */
@Command(
    name = "razor-heads",
    description = {
      "Finds a model's retrieval heads for --kv-cache razor: a text of random tokens is repeated"
          + " and each head scored by the attention its rows put on their earlier copies (echo) and"
          + " on what followed these (induction).",
      ""
    })
final class RazorHeadsCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;
  @Mixin private ModelOptions model;

  @Option(
      names = "--period",
      paramLabel = "TOKENS",
      defaultValue = "0",
      description =
          "Tokens of the text before it repeats, four times in all; 0 = 2500, or a quarter of the"
              + " context where that is less. Default: ${DEFAULT-VALUE}.")
  private int period;

  @Option(
      names = {"-o", "--output"},
      paramLabel = "FILE",
      description = "Where to write. Default: beside the model, where razor looks.")
  private Path output;

  @Override
  public Integer call() throws IOException {
    RetrievalHeads heads = new RetrievalHeads();
    int tokens;
    Path file;
    try (LanguageModel loaded = model.load(model.contextTokens(), heads::caches)) {
      file = output == null ? Razor.headFile(loaded.info().path()) : output;
      try (Progress _ = Progress.of("scoring heads")) {
        tokens = heads.read(loaded, period);
      }
      Files.write(file, heads.lines(loaded));
    }
    print(file, tokens, heads.tables());
    return 0;
  }

  private void print(Path file, int tokens, List<HeadTable> tables) {
    PrintWriter out = spec.commandLine().getOut();
    out.println("mean attention mass over " + tokens + " tokens, the best query head of a KV head");
    out.println("layer  KV head  induction    echo");
    HeadTable induction = tables.get(0);
    HeadTable echo = tables.get(1);
    for (int layer = 0; layer < induction.layers(); layer++) {
      for (int head = 0; head < induction.kvHeads(); head++) {
        out.printf(
            Locale.ROOT,
            "%5d %8d %10.4f %7.4f%n",
            layer,
            head,
            induction.values()[layer][head],
            echo.values()[layer][head]);
      }
    }
    out.println("written to " + file);
    out.flush();
  }
}
