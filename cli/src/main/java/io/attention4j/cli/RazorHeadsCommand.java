package io.attention4j.cli;

import io.attention4j.kvcache.KvCaches;
import io.attention4j.kvcache.policy.HeadTable;
import io.attention4j.kvcache.policy.Razor;
import io.attention4j.kvcache.policy.RetrievalProbe;
import io.attention4j.llm.LanguageModel;
import io.attention4j.llm.Session;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.OptionalInt;
import java.util.SplittableRandom;
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
  private static final int DEFAULT_PERIOD = 2500;
  private static final int REPEATS = 4;
  private static final long SEED = 2500;

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
    RetrievalProbe[] probe = new RetrievalProbe[1];
    int tokens;
    Path file;
    try (LanguageModel loaded =
        model.load(
            model.contextTokens(),
            context -> {
              probe[0] = new RetrievalProbe(context.layers());
              return new KvCaches().create("f32", probe[0], context);
            })) {
      int[] text = text(loaded, probe[0]);
      tokens = text.length;
      file = output == null ? Razor.headFile(loaded.info().path()) : output;
      try (Progress _ = Progress.of("scoring heads over " + tokens + " tokens");
          Session session = loaded.newSession()) {
        session.append(text);
      }
      Files.write(file, lines(loaded, probe[0].tables()));
    }
    print(file, tokens, probe[0].tables());
    return 0;
  }

  private int[] text(LanguageModel loaded, RetrievalProbe probe) {
    OptionalInt bos = loaded.tokenizer().specialTokens().bos();
    int start = loaded.tokenizer().addsBos() && bos.isPresent() ? 1 : 0;
    int longest = (loaded.info().contextTokens() - start) / REPEATS;
    int length = period == 0 ? Math.min(DEFAULT_PERIOD, longest) : period;
    if (length < 2 || length > longest) {
      throw new IllegalArgumentException(
          "--period "
              + length
              + " repeated "
              + REPEATS
              + " times must be 2 to "
              + longest
              + " tokens in a context of "
              + loaded.info().contextTokens()
              + "; change it or --context");
    }
    probe.text(length, start);
    SplittableRandom random = new SplittableRandom(SEED);
    int vocabulary = loaded.info().config().sizes().vocabulary();
    int[] text = new int[start + REPEATS * length];
    if (start > 0) {
      text[0] = bos.getAsInt();
    }
    for (int i = 0; i < length; i++) {
      int token = random.nextInt(vocabulary);
      for (int copy = 0; copy < REPEATS; copy++) {
        text[start + copy * length + i] = token;
      }
    }
    return text;
  }

  private static List<String> lines(LanguageModel loaded, List<HeadTable> tables) {
    List<String> lines = new ArrayList<>();
    lines.add("# retrieval heads of " + loaded.info().name() + ", attention4j razor-heads");
    lines.add("# a line per layer, a number per KV head: mean attention of its best query head");
    tables.forEach(table -> lines.addAll(table.lines()));
    return lines;
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
