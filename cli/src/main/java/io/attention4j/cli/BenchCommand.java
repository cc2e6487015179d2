package io.attention4j.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.attention4j.llm.LanguageModel;
import io.attention4j.llm.ModelInfo;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code attention4j bench}: speed of prefill and decoding. */
@Command(
    name = "bench",
    description = {
      "Measures the speed of prefill and decoding in tokens per second.",
      "Prefill computes a prompt of random tokens; decoding feeds the most probable token back, one"
          + " at a time. Tokenizer, sampling and text are left out. Each starts behind --depth"
          + " tokens that are not timed.",
      ""
    })
final class BenchCommand implements Callable<Integer> {
  /** Version of the fields of {@code --json}; grows when one changes its meaning or goes. */
  private static final int JSON_VERSION = 1;

  private static final int MOST_TOKENS = 1 << 24;

  @Spec private CommandSpec spec;
  @Mixin private ModelOptions model;

  @Option(
      names = {"-p", "--prompt-tokens"},
      paramLabel = "TOKENS",
      defaultValue = "512",
      description = "Tokens of the prefill test; 0 = leave it out. Default: ${DEFAULT-VALUE}.")
  private int promptTokens;

  @Option(
      names = {"-n", "--new-tokens"},
      paramLabel = "TOKENS",
      defaultValue = "64",
      description = "Tokens of the decoding test; 0 = leave it out. Default: ${DEFAULT-VALUE}.")
  private int newTokens;

  @Option(
      names = {"-d", "--depth"},
      paramLabel = "TOKENS",
      defaultValue = "0",
      description = "Tokens in the KV cache before each test. Default: ${DEFAULT-VALUE}.")
  private int depth;

  @Option(
      names = {"-r", "--repetitions"},
      paramLabel = "N",
      defaultValue = "3",
      description = "Timed runs of each test. Default: ${DEFAULT-VALUE}.")
  private int repetitions;

  @Option(
      names = {"-w", "--warmup"},
      paramLabel = "N",
      defaultValue = "1",
      description =
          "Runs of each test before those, for the JIT compiler and the caches. Default:"
              + " ${DEFAULT-VALUE}.")
  private int warmups;

  @Option(names = "--json", description = "Print one JSON object instead of the table.")
  private boolean json;

  @Override
  public Integer call() throws IOException {
    require("--prompt-tokens", promptTokens, 0);
    require("--new-tokens", newTokens, 0);
    require("--depth", depth, 0);
    require("--repetitions", repetitions, 1);
    require("--warmup", warmups, 0);
    if (promptTokens == 0 && newTokens == 0) {
      throw new ParameterException(
          spec.commandLine(), "nothing to measure; give --prompt-tokens or --new-tokens above 0");
    }
    int needed = Math.addExact(depth, Math.max(promptTokens, newTokens));
    int context = model.contextTokens() == 0 ? needed : model.contextTokens();
    if (context < needed) {
      throw new ParameterException(
          spec.commandLine(),
          "--context " + context + " is too small: the tests need " + needed + " tokens");
    }
    try (LanguageModel loaded = model.load(context)) {
      List<Benchmark.Result> results;
      try (Progress _ = Progress.of("measuring")) {
        results =
            new Benchmark(
                    loaded, new Work(loaded.info(), model.estimate()), depth, warmups, repetitions)
                .run(promptTokens, newTokens);
      }
      PrintWriter out = spec.commandLine().getOut();
      if (json) {
        out.println(toJson(loaded.info(), results));
      } else {
        print(out, loaded.info(), results);
      }
      out.flush();
    }
    return 0;
  }

  private void require(String option, int value, int least) {
    if (value < least || value > MOST_TOKENS) {
      throw new ParameterException(
          spec.commandLine(), option + " " + value + " must be " + least + " to " + MOST_TOKENS);
    }
  }

  private void print(PrintWriter out, ModelInfo info, List<Benchmark.Result> results) {
    out.printf(
        Locale.ROOT,
        "model     %s, %s, %.2f M parameters, weights %s%n",
        info.name(),
        info.config().architecture(),
        info.parameters() / 1e6,
        Units.bytes(info.memory().weightBytes()));
    out.println("kernels   " + info.kernels());
    out.println(
        "options   --attention "
            + info.options().attention()
            + " --kv-cache "
            + info.options().kvCache()
            + " --batch "
            + info.options().maxBatchRows());
    out.println("machine   " + Machine.system() + ", processors " + Machine.processors());
    out.println("JDK       " + Machine.jdk());
    out.printf(
        "measured  wall time of %d repetition(s) after %d warm-up run(s), random token ids with"
            + " seed %d%n%n",
        repetitions, warmups, Benchmark.TOKEN_SEED);
    out.printf(
        "%-8s %7s %7s  %10s %10s %10s  %12s %8s %9s%n",
        "test",
        "tokens",
        "depth",
        "mean tok/s",
        "min tok/s",
        "max tok/s",
        "read/token",
        "GB/s",
        "GFLOP/s");
    for (Benchmark.Result result : results) {
      out.printf(
          Locale.ROOT,
          "%-8s %7d %7d  %10.1f %10.1f %10.1f  %12s %8.2f %9.2f%n",
          result.name(),
          result.tokens(),
          result.depth(),
          result.mean(),
          result.min(),
          result.max(),
          Units.bytes(Math.round(result.bytesPerToken())),
          result.gigabytesPerSecond(),
          result.gigaflopPerSecond());
    }
    out.println();
    out.println(
        "read/token: weights once per forward pass (--batch tokens of a prompt, one when decoding)"
            + " and the keys and values seen, counted from the model's sizes; GB/s and GFLOP/s are"
            + " those counts at the mean speed.");
  }

  private String toJson(ModelInfo info, List<Benchmark.Result> results) throws IOException {
    ObjectMapper mapper = new ObjectMapper();
    ObjectNode root = mapper.createObjectNode();
    root.put("version", JSON_VERSION);
    root.put("model", info.name());
    root.put("architecture", info.config().architecture());
    root.put("parameters", info.parameters());
    root.put("weight_bytes", info.memory().weightBytes());
    root.put("kernels", info.kernels());
    root.put("attention", info.options().attention());
    root.put("kv_cache", info.options().kvCache());
    root.put("batch", info.options().maxBatchRows());
    root.put("system", Machine.system());
    root.put("processors", Machine.processors());
    root.put("jdk", Machine.jdk());
    root.put("warmup_runs", warmups);
    root.put("repetitions", repetitions);
    root.put("token_seed", Benchmark.TOKEN_SEED);
    ArrayNode tests = root.putArray("tests");
    for (Benchmark.Result result : results) {
      ObjectNode test = tests.addObject();
      test.put("test", result.name());
      test.put("tokens", result.tokens());
      test.put("depth", result.depth());
      ObjectNode speed = test.putObject("tokens_per_second");
      speed.put("mean", result.mean());
      speed.put("min", result.min());
      speed.put("max", result.max());
      speed.set("samples", mapper.valueToTree(result.samples()));
      test.put("bytes_per_token", result.bytesPerToken());
      test.put("gigabytes_per_second", result.gigabytesPerSecond());
      test.put("operations_per_token", result.operationsPerToken());
      test.put("gigaflop_per_second", result.gigaflopPerSecond());
    }
    return mapper.writeValueAsString(root);
  }
}
