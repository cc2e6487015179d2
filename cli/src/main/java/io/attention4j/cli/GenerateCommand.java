package io.attention4j.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.attention4j.demo.DemoModel;
import io.attention4j.engine.operator.KvUsage;
import io.attention4j.llm.Generation;
import io.attention4j.llm.GenerationRequest;
import io.attention4j.llm.GenerationResult;
import io.attention4j.llm.LanguageModel;
import io.attention4j.llm.Session;
import io.attention4j.llm.Timings;
import io.attention4j.llm.sampling.SamplingOptions;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code attention4j generate}: continues a prompt; the new text alone goes to stdout. */
@Command(
    name = "generate",
    description = {
      "Continues a prompt with a language model.",
      "The new text alone goes to stdout, byte for byte (a terminal gets a last line end); the"
          + " prompt is not repeated. Without --prompt and --model the demo model continues a"
          + " prompt of its own; standard input is read only for --prompt-file -.",
      ""
    })
final class GenerateCommand implements Callable<Integer> {
  /** Version of the fields of {@code --json}; grows when one changes its meaning or goes. */
  private static final int JSON_VERSION = 1;

  private static final double MIB = 1 << 20;

  /** Shown with the default prompt, so that a first run is the same everywhere. */
  private static final long DEMO_SEED = 1;

  @Spec private CommandSpec spec;
  @Mixin private ModelOptions model;
  @Mixin private SamplingOptionsMixin sampling;
  @ArgGroup private PromptOptions prompt;

  private static final class PromptOptions {
    @Option(
        names = {"-p", "--prompt"},
        paramLabel = "TEXT",
        description =
            "The prompt, taken raw: no chat template. BOS is added as the model file says; an empty"
                + " one means BOS alone.")
    private String text;

    @Option(
        names = "--prompt-file",
        paramLabel = "FILE",
        description =
            "A UTF-8 file with the prompt, its last line end included; - for standard" + " input.")
    private Path file;
  }

  @Option(
      names = {"-n", "--max-tokens"},
      paramLabel = "TOKENS",
      defaultValue = "256",
      description = "Most new tokens; 0 = until the context is full. Default: ${DEFAULT-VALUE}.")
  private int maxTokens;

  @Option(names = "--stop", paramLabel = "TEXT", description = "End before this text; repeatable.")
  private List<String> stop = List.of();

  @Option(names = "--ignore-eos", description = "Go on after the end-of-text token.")
  private boolean ignoreEnd;

  @Option(
      names = "--json",
      description = "Print one JSON object instead of the text: version 1 of its fields.")
  private boolean json;

  @Option(
      names = "--timings",
      description = "Print prefill and decode speed and the KV cache's bytes to stderr.")
  private boolean timings;

  @Override
  public Integer call() throws IOException {
    boolean showcase = prompt == null && model.isDemo();
    String text = promptText();
    SamplingOptions options = sampling.build(showcase ? DEMO_SEED : System.nanoTime());
    GenerationRequest request =
        GenerationRequest.builder()
            .prompt(text)
            .maxTokens(maxTokens)
            .sampling(options)
            .stopStrings(stop)
            .ignoreEnd(ignoreEnd)
            .build();
    try (LanguageModel loaded = model.load();
        Session session = loaded.newSession()) {
      sampling.check(loaded.info());
      Generation generation = start(session, request);
      PrintWriter out = spec.commandLine().getOut();
      GenerationResult result =
          json ? generation.run() : Pieces.print(generation, out, StandardOutput.isTerminal());
      if (json) {
        out.println(toJson(loaded, text, options, result));
      }
      out.flush();
      if (timings) {
        printTimings(result.timings());
        printCache(loaded.kvUsage(), loaded.info().config().sizes().layers());
      }
    }
    return 0;
  }

  /** What is wrong with a prompt here is its text: the options were checked before. */
  private static Generation start(Session session, GenerationRequest request) {
    try {
      return session.generate(request);
    } catch (IllegalArgumentException e) {
      throw new BadDataException(e.getMessage(), e);
    }
  }

  private String promptText() throws IOException {
    if (prompt == null) {
      if (model.isDemo()) {
        return DemoModel.PROMPT;
      }
      throw new ParameterException(
          spec.commandLine(), "no prompt; give --prompt TEXT or --prompt-file FILE (- for stdin)");
    }
    if (prompt.text != null) {
      return prompt.text;
    }
    return TextInput.read(prompt.file);
  }

  private void printTimings(Timings timings) {
    PrintWriter err = spec.commandLine().getErr();
    err.printf(
        Locale.ROOT,
        "attention4j: %d prompt tokens at %.1f tokens/s, first token after %.0f ms, %d new tokens"
            + " at %.1f tokens/s%n",
        timings.promptTokens(),
        timings.prefillTokensPerSecond(),
        timings.firstTokenNanos() / 1e6,
        timings.generatedTokens(),
        timings.decodeTokensPerSecond());
    err.flush();
  }

  private void printCache(KvUsage usage, int layers) {
    PrintWriter err = spec.commandLine().getErr();
    err.printf(
        Locale.ROOT,
        "attention4j: KV cache holds %.1f MiB in memory, %.1f MiB in files",
        usage.memoryBytes() / MIB,
        usage.fileBytes() / MIB);
    if (usage.steps() > 0) {
      err.printf(
          Locale.ROOT,
          "; fetched %.1f MiB per step of all layers, at most %d pages per KV head and token",
          usage.fetchedBytes() * layers / MIB / usage.steps(),
          usage.mostFetched());
    }
    err.println();
    err.flush();
  }

  private static String toJson(
      LanguageModel model, String prompt, SamplingOptions sampling, GenerationResult result)
      throws IOException {
    ObjectMapper mapper = new ObjectMapper();
    ObjectNode root = mapper.createObjectNode();
    root.put("version", JSON_VERSION);
    root.put("model", model.info().name());
    root.put("kernels", model.info().kernels());
    root.put("prompt", prompt);
    root.put("text", result.text());
    root.set("tokens", mapper.valueToTree(result.tokens()));
    root.put("finish_reason", result.finishReason().name().toLowerCase(Locale.ROOT));
    root.put("stop", result.stop());
    root.put("seed", sampling.seed());
    Timings timings = result.timings();
    root.put("prompt_tokens", timings.promptTokens());
    root.put("prefill_tokens_per_second", timings.prefillTokensPerSecond());
    root.put("first_token_seconds", timings.firstTokenNanos() / 1e9);
    root.put("decode_tokens_per_second", timings.decodeTokensPerSecond());
    KvUsage usage = model.kvUsage();
    root.put("kv_memory_bytes", usage.memoryBytes());
    root.put("kv_file_bytes", usage.fileBytes());
    root.put("kv_fetched_bytes", usage.fetchedBytes());
    return mapper.writeValueAsString(root);
  }
}
