package io.attention4j.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.attention4j.llm.LanguageModel;
import io.attention4j.llm.Session;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code attention4j act-heads}: finds the heads whose calibration helps a task. */
@Command(
    name = "act-heads",
    description = {
      "Finds the heads for --attention act: calibrates one head at a time, answers the questions of"
          + " a file, and keeps the heads with more right answers than the model alone. Prints the"
          + " option that calibrates them together.",
      ""
    })
final class ActHeadsCommand implements Callable<Integer> {
  /** Layers at the beginning that the authors leave alone. */
  private static final int FIRST_LAYER = 2;

  @Spec private CommandSpec spec;
  @Mixin private ModelOptions model;

  @Option(
      names = "--questions",
      required = true,
      paramLabel = "FILE",
      description =
          "UTF-8, a JSON object per line: {\"prompt\": TEXT, \"choices\": [TEXT, ...], \"answer\":"
              + " INDEX}; - for standard input. An answer is the choice with the highest"
              + " probability per token after the prompt.")
  private Path file;

  @Option(
      names = "--beta",
      paramLabel = "NUMBER",
      defaultValue = "0.4",
      description = "What is left of a sink's weights. Default: ${DEFAULT-VALUE}.")
  private double beta;

  @Option(
      names = "--tau",
      paramLabel = "NUMBER",
      defaultValue = "0.1",
      description = "Mean weight that makes a key a sink. Default: ${DEFAULT-VALUE}.")
  private double tau;

  private record Question(String prompt, List<String> choices, int answer) {}

  @Override
  public Integer call() throws IOException {
    List<Question> questions = questions();
    int layers;
    int heads;
    int alone;
    try (LanguageModel loaded = model.load()) {
      layers = loaded.info().config().sizes().layers();
      heads = loaded.info().config().sizes().queryHeads();
      alone = right(loaded, questions);
    }
    int last = layers - 1; // which the authors leave alone too
    int first = Math.min(FIRST_LAYER, Math.max(0, last - 1));
    List<List<Integer>> chosen = new ArrayList<>();
    PrintWriter out = spec.commandLine().getOut();
    out.println(alone + " of " + questions.size() + " right without calibration");
    out.println("layer  head  right");
    try (Progress progress = Progress.of("heads", (last - first) * heads)) {
      for (int layer = 0; layer < layers; layer++) {
        chosen.add(new ArrayList<>());
        for (int head = 0; head < heads && layer >= first && layer < last; head++) {
          int right = right(option(layer, layers, List.of(head)), questions);
          out.printf(Locale.ROOT, "%5d %5d %6d%n", layer, head, right);
          if (right > alone) {
            chosen.get(layer).add(head);
          }
          progress.step();
        }
      }
    }
    String option = option(chosen);
    out.println(
        option == null
            ? "no head helps; leave --attention out"
            : "--attention '" + option + "'  # " + right(option, questions) + " right together");
    out.flush();
    return 0;
  }

  private int right(String attention, List<Question> questions) throws IOException {
    try (LanguageModel loaded = model.loadWithAttention(attention)) {
      return right(loaded, questions);
    }
  }

  private static int right(LanguageModel loaded, List<Question> questions) {
    int right = 0;
    try (Session session = loaded.newSession()) {
      for (Question question : questions) {
        int best = -1;
        double highest = Double.NEGATIVE_INFINITY;
        for (int choice = 0; choice < question.choices.size(); choice++) {
          session.rewind(0);
          double mean = session.score(question.prompt, question.choices.get(choice)).mean();
          if (mean > highest) {
            highest = mean;
            best = choice;
          }
        }
        right += best == question.answer ? 1 : 0;
      }
    }
    return right;
  }

  private String act(List<Integer> heads) {
    return "act:heads="
        + String.join("/", heads.stream().map(String::valueOf).toList())
        + ";beta="
        + beta
        + ";tau="
        + tau;
  }

  private String option(int layer, int layers, List<Integer> heads) {
    List<List<Integer>> only = new ArrayList<>();
    for (int i = 0; i < layers; i++) {
      only.add(i == layer ? heads : List.of());
    }
    return option(only);
  }

  /** The option that calibrates these heads of every layer, or null for none. */
  private String option(List<List<Integer>> headsOfLayers) {
    if (headsOfLayers.stream().allMatch(List::isEmpty)) {
      return null;
    }
    List<String> parts = new ArrayList<>();
    for (int layer = 0; layer < headsOfLayers.size(); layer++) {
      List<Integer> heads = headsOfLayers.get(layer);
      parts.add(layer + "=" + (heads.isEmpty() ? "softmax" : act(heads)));
    }
    return String.join(",", parts);
  }

  private List<Question> questions() throws IOException {
    ObjectMapper mapper = new ObjectMapper();
    List<Question> questions = new ArrayList<>();
    int number = 0;
    for (String line : TextInput.read(file).lines().toList()) {
      number++;
      if (!line.isBlank()) {
        questions.add(question(mapper, line, number));
      }
    }
    if (questions.isEmpty()) {
      throw new BadDataException(file + " has no questions");
    }
    return questions;
  }

  private Question question(ObjectMapper mapper, String line, int number) {
    JsonNode json;
    try {
      json = mapper.readTree(line);
    } catch (JsonProcessingException e) {
      throw bad(number, e);
    }
    List<String> choices = new ArrayList<>();
    json.path("choices").forEach(choice -> choices.add(choice.asText()));
    int answer = json.path("answer").asInt(-1);
    if (!json.path("prompt").isTextual() || answer < 0 || answer >= choices.size()) {
      throw bad(number, null);
    }
    return new Question(json.path("prompt").textValue(), choices, answer);
  }

  private BadDataException bad(int number, Exception cause) {
    return new BadDataException(
        file
            + " line "
            + number
            + " is no question; write {\"prompt\": TEXT, \"choices\": [TEXT, ...], \"answer\":"
            + " INDEX}",
        cause);
  }
}
