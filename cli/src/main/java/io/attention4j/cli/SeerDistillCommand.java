package io.attention4j.cli;

import io.attention4j.llm.LanguageModel;
import io.attention4j.llm.Session;
import io.attention4j.llm.safetensors.SafetensorsFile;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code attention4j seer-distill}: trains a gate of SeerAttention for a model. */
@Command(
    name = "seer-distill",
    sortOptions = false,
    description = {
      "Trains gates for --attention seer:gate=FILE: the model reads a text with dense attention,"
          + " and each layer's gate learns which blocks of keys had weight (KL divergence, Adam, on"
          + " one thread). Every fifth window judges. The model's weights stay as they are.",
      ""
    })
final class SeerDistillCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;
  @Mixin private ModelOptions model;

  @Option(names = "--text", required = true, paramLabel = "FILE", description = "A UTF-8 text.")
  private Path text;

  @Option(
      names = {"-o", "--output"},
      required = true,
      paramLabel = "FILE",
      description = "The safetensors file to write.")
  private Path output;

  @Option(
      names = "--block",
      paramLabel = "TOKENS",
      defaultValue = "64",
      description = "Tokens per block. Default: ${DEFAULT-VALUE}.")
  private int block;

  @Option(
      names = "-k",
      paramLabel = "BLOCKS",
      defaultValue = "16",
      description = "Blocks of which the recall is printed. Default: ${DEFAULT-VALUE}.")
  private int k;

  @Option(
      names = "--windows",
      paramLabel = "N",
      defaultValue = "40",
      description =
          "Most windows of the text, each as long as the context. Default: ${DEFAULT-VALUE}.")
  private int windows;

  @Option(
      names = "--epochs",
      paramLabel = "N",
      defaultValue = "10",
      description =
          "Passes over the windows; 0 writes an untrained gate. Default: ${DEFAULT-VALUE}.")
  private int epochs;

  @Option(
      names = "--rate",
      paramLabel = "X",
      defaultValue = "0.003",
      description = "Of Adam, at the start; it falls to 0. Default: ${DEFAULT-VALUE}.")
  private double rate;

  @Override
  public Integer call() throws IOException {
    Files.deleteIfExists(output); // an earlier gate's layers must not stay beside these
    int read;
    try (LanguageModel loaded =
        model.loadWithAttention(
            String.format(
                Locale.ROOT,
                "seer-distill:to=%s;block=%d;k=%d;epochs=%d;rate=%s",
                output,
                block,
                k,
                epochs,
                rate))) {
      try (Progress _ = Progress.of("reading")) {
        read = read(loaded);
      }
    }
    print(read);
    return 0;
  }

  private int read(LanguageModel loaded) throws IOException {
    int[] tokens = loaded.tokenizer().encode(TextInput.read(text));
    OptionalInt bos = loaded.tokenizer().specialTokens().bos();
    int start = loaded.tokenizer().addsBos() && bos.isPresent() ? 1 : 0;
    int step = loaded.info().contextTokens() - start;
    int count = Math.min(windows, tokens.length / step);
    if (count < 1) {
      throw new BadDataException(
          text
              + " has "
              + tokens.length
              + " tokens, less than a window of "
              + step
              + "; give a longer text or a smaller --context");
    }
    for (int window = 0; window < count; window++) {
      int[] part = new int[start + step];
      if (start > 0) {
        part[0] = bos.getAsInt();
      }
      // Windows are taken from all over the text.
      int from = (int) ((long) window * (tokens.length - step) / count);
      System.arraycopy(tokens, from, part, start, step);
      try (Session session = loaded.newSession()) {
        session.append(part);
      }
    }
    return count;
  }

  private void print(int read) throws IOException {
    PrintWriter out = spec.commandLine().getOut();
    out.println(
        read
            + " windows; share of dense attention's largest weights in the own and the best "
            + k
            + " blocks of "
            + block);
    out.println("layer  KL before   after  untrained  trained  best");
    try (SafetensorsFile file = SafetensorsFile.open(output)) {
      for (int layer = 0; file.find(stats(layer, "losses")).isPresent(); layer++) {
        float[] losses = file.tensor(stats(layer, "losses")).toFloats();
        float[] recall = file.tensor(stats(layer, "recall")).toFloats();
        out.printf(
            Locale.ROOT,
            "%5d %10.4f %7.4f %10.3f %8.3f %5.3f%n",
            layer,
            losses[0],
            losses[losses.length - 1],
            recall[0],
            recall[1],
            recall[2]);
      }
    }
    out.println("written to " + output);
    out.flush();
  }

  private static String stats(int layer, String name) {
    return "distill.layers." + layer + "." + name;
  }
}
