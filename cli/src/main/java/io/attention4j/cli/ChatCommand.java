package io.attention4j.cli;

import io.attention4j.chat.ChatMessage;
import io.attention4j.chat.ChatTemplate;
import io.attention4j.chat.ChatTemplateException;
import io.attention4j.chat.RenderOptions;
import io.attention4j.llm.FinishReason;
import io.attention4j.llm.Generation;
import io.attention4j.llm.GenerationRequest;
import io.attention4j.llm.GenerationResult;
import io.attention4j.llm.LanguageModel;
import io.attention4j.llm.Session;
import io.attention4j.llm.tokenizer.SpecialTokens;
import io.attention4j.llm.tokenizer.Tokenizer;
import java.io.BufferedReader;
import java.io.Console;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code attention4j chat}: a conversation, one line per message. */
@Command(
    name = "chat",
    description = {
      "Holds a conversation through the model's chat template.",
      "Each line of standard input is a message; answers go to stdout as they are written. /reset"
          + " starts again, /exit or the end of the input ends. An answer ends with the model's end"
          + " of turn.",
      ""
    })
final class ChatCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;
  @Mixin private ModelOptions model;
  @Mixin private SamplingOptionsMixin sampling;

  @Option(
      names = "--system",
      paramLabel = "TEXT",
      description = "What the model is told to be, before the first message.")
  private String system;

  @Option(
      names = {"-n", "--max-tokens"},
      paramLabel = "TOKENS",
      defaultValue = "0",
      description =
          "Most tokens of an answer; 0 = until the context is full. Default: ${DEFAULT-VALUE}.")
  private int maxTokens;

  /** What every turn needs. */
  private record Turn(
      Tokenizer tokenizer,
      Session session,
      ChatTemplate template,
      GenerationRequest.Builder request) {}

  private final List<ChatMessage> messages = new ArrayList<>();
  private boolean failed;

  @Override
  public Integer call() throws IOException {
    GenerationRequest.Builder request =
        GenerationRequest.builder()
            .promptTokens(List.of())
            .maxTokens(maxTokens)
            .sampling(sampling.build(System.nanoTime()));
    request.build(); // a bad option shows before the model is loaded
    try (LanguageModel loaded = model.load();
        Session session = loaded.newSession()) {
      sampling.check(loaded.info());
      ChatTemplate template = template(loaded);
      reset();
      Console console = System.console();
      boolean interactive = console != null && console.isTerminal();
      if (interactive) {
        note("chat with " + loaded.info().name() + "; /reset starts again, /exit ends");
      }
      converse(new Turn(loaded.tokenizer(), session, template, request), interactive);
    }
    return failed ? Errors.BAD_DATA : 0;
  }

  private ChatTemplate template(LanguageModel loaded) {
    String source =
        loaded
            .info()
            .chatTemplate()
            .orElseThrow(
                () ->
                    new BadDataException(
                        loaded.info().path()
                            + ": this model has no chat template; continue a text with"
                            + " attention4j generate instead"));
    return ChatTemplate.of(source, specialTexts(loaded.tokenizer()));
  }

  private static Map<String, String> specialTexts(Tokenizer tokenizer) {
    SpecialTokens special = tokenizer.specialTokens();
    Map<String, OptionalInt> ids =
        Map.of(
            "bos_token", special.bos(),
            "eos_token", special.eos(),
            "unk_token", special.unk(),
            "pad_token", special.pad());
    Map<String, String> texts = new HashMap<>();
    ids.forEach((name, id) -> id.ifPresent(i -> texts.put(name, tokenizer.piece(i))));
    return texts;
  }

  private void reset() {
    messages.clear();
    if (system != null) {
      messages.add(ChatMessage.system(system));
    }
  }

  private void converse(Turn turn, boolean interactive) throws IOException {
    Charset charset =
        interactive ? System.console().charset() : StandardCharsets.UTF_8; // a pipe has no locale
    BufferedReader in =
        new BufferedReader(
            new InputStreamReader(System.in, charset.newDecoder())); // reports errors
    while (true) {
      if (interactive) {
        System.err.print("> ");
        System.err.flush();
      }
      String line = readLine(in);
      if (line == null || line.strip().equals("/exit")) {
        return;
      }
      if (line.strip().equals("/reset")) {
        reset();
      } else if (!line.isBlank()) {
        answer(line, turn);
      }
    }
  }

  private static String readLine(BufferedReader in) throws IOException {
    try {
      return in.readLine();
    } catch (CharacterCodingException e) {
      throw new BadDataException("standard input is no UTF-8; convert the text to UTF-8", e);
    }
  }

  /** A message that cannot be answered is reported and forgotten; the conversation stays. */
  private void answer(String line, Turn turn) {
    messages.add(ChatMessage.user(line));
    Generation generation;
    try {
      String text = turn.template.render(messages, RenderOptions.defaults());
      int[] prompt = turn.tokenizer.encode(text);
      turn.request.promptTokens(Arrays.stream(prompt).boxed().toList());
      generation = turn.session.generate(turn.request.build());
    } catch (ChatTemplateException | IllegalArgumentException e) {
      messages.removeLast();
      failed = true;
      note(Errors.sentence(e) + " (/reset starts again)");
      return;
    }
    PrintWriter out = spec.commandLine().getOut();
    GenerationResult result = Pieces.print(generation, out, true);
    messages.add(ChatMessage.assistant(result.text()));
    if (result.finishReason() == FinishReason.CONTEXT_FULL) {
      note(
          "the context of "
              + turn.session.contextTokens()
              + " tokens is full; /reset starts again, --context makes it larger");
    }
  }

  private void note(String text) {
    PrintWriter err = spec.commandLine().getErr();
    err.println("attention4j: " + text);
    err.flush();
  }
}
