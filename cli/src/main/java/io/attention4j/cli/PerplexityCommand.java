package io.attention4j.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.attention4j.llm.LanguageModel;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code attention4j perplexity}: how well a model predicts a text. */
@Command(
    name = "perplexity",
    description = {
      "Measures how well a model predicts a text: mean negative log-likelihood and perplexity.",
      "The text goes through in windows as long as the context, half a window apart. A window"
          + " starts with BOS where the model adds it; its first half is read and not scored, in"
          + " the first window too.",
      ""
    })
final class PerplexityCommand implements Callable<Integer> {
  /** Version of the fields of {@code --json}; grows when one changes its meaning or goes. */
  private static final int JSON_VERSION = 1;

  @Spec private CommandSpec spec;
  @Mixin private ModelOptions model;

  @Option(
      names = "--text",
      required = true,
      paramLabel = "FILE",
      description = "A UTF-8 file; - for standard input.")
  private Path file;

  @Option(names = "--json", description = "Print one JSON object instead of the lines.")
  private boolean json;

  @Override
  public Integer call() throws IOException {
    String text = TextInput.read(file);
    try (LanguageModel loaded = model.load()) {
      Perplexity perplexity = new Perplexity(loaded, text);
      Perplexity.Result result;
      try (Progress progress = Progress.of("perplexity", perplexity.windows())) {
        result = perplexity.run(progress);
      }
      PrintWriter out = spec.commandLine().getOut();
      if (json) {
        out.println(toJson(loaded, perplexity, result));
      } else {
        print(out, loaded, perplexity, result);
      }
      out.flush();
    }
    return 0;
  }

  private void print(
      PrintWriter out, LanguageModel loaded, Perplexity perplexity, Perplexity.Result result) {
    out.println("model          " + loaded.info().name());
    out.println("kernels        " + loaded.info().kernels());
    out.println("text           " + file + ", " + result.tokens() + " tokens");
    out.println(
        "windows        "
            + perplexity.windows()
            + " of "
            + perplexity.windowTokens()
            + " tokens (the context), "
            + perplexity.strideTokens()
            + " apart, each "
            + (perplexity.startsWithBos()
                ? "starting with BOS"
                : "without BOS (the model adds none)")
            + ", the first "
            + perplexity.unscoredTokens()
            + " positions not scored");
    out.println("tokens scored  " + result.scoredTokens());
    out.printf(Locale.ROOT, "mean NLL       %.4f nats per token%n", result.meanNll());
    out.printf(Locale.ROOT, "perplexity     %.4f per token%n", result.perplexity());
    if (result.scoredBytes().isPresent()) {
      out.printf(
          Locale.ROOT,
          "bits per byte  %.4f (the scored tokens are %d bytes of UTF-8)%n",
          result.bitsPerByte(),
          result.scoredBytes().getAsLong());
    } else {
      out.println("bits per byte  unknown: this vocabulary does not spell the text byte for byte");
    }
  }

  private static String toJson(
      LanguageModel loaded, Perplexity perplexity, Perplexity.Result result) throws IOException {
    ObjectMapper mapper = new ObjectMapper();
    ObjectNode root = mapper.createObjectNode();
    root.put("version", JSON_VERSION);
    root.put("model", loaded.info().name());
    root.put("kernels", loaded.info().kernels());
    root.put("attention", loaded.info().options().attention());
    root.put("kv_cache", loaded.info().options().kvCache());
    root.put("windows", perplexity.windows());
    root.put("window_tokens", perplexity.windowTokens());
    root.put("stride_tokens", perplexity.strideTokens());
    root.put("unscored_tokens_per_window", perplexity.unscoredTokens());
    root.put("bos_per_window", perplexity.startsWithBos());
    root.put("tokens", result.tokens());
    root.put("scored_tokens", result.scoredTokens());
    root.put("mean_nll_nats", result.meanNll());
    root.put("perplexity", result.perplexity());
    if (result.scoredBytes().isPresent()) {
      root.put("scored_bytes", result.scoredBytes().getAsLong());
      root.put("bits_per_byte", result.bitsPerByte());
    }
    return mapper.writeValueAsString(root);
  }
}
