package io.attention4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.Availability;
import io.attention4j.engine.spi.KernelProvider;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GenerateCommandTest {
  private static final String PROMPT = "ROMEO:\n";

  @TempDir private Path folder;

  private static String text(String... args) {
    Run run = Run.of(args);
    assertEquals(0, run.status(), run.err());
    assertEquals("", run.err());
    return run.out();
  }

  private static JsonNode json(String... args) throws IOException {
    return new ObjectMapper().readTree(text(args));
  }

  private static String greedy(String... more) {
    String[] args = {"generate", "-p", PROMPT, "-n", "8", "--temperature", "0"};
    String[] all = java.util.Arrays.copyOf(args, args.length + more.length);
    System.arraycopy(more, 0, all, args.length, more.length);
    return text(all);
  }

  @Test
  void greedyTextIsTheReferencesAndThePromptIsNotRepeated() {
    assertEquals("I'll tell you, sir, to", greedy());
  }

  @Test
  void aTerminalGetsALastLineEnd() {
    System.setProperty("attention4j.stdout.terminal", "true");
    try {
      assertEquals("I'll tell you, sir, to\n", greedy());
    } finally {
      System.clearProperty("attention4j.stdout.terminal");
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3})
  void greedyTextDoesNotDependOnThreads(int threads) {
    assertEquals(greedy("--threads", "1"), greedy("--threads", Integer.toString(threads)));
  }

  @Test
  void referenceKernelsRun() {
    assertEquals(greedy(), greedy("--kernels", "reference"));
  }

  @Test
  void openClKernelsGiveTheSameText() {
    KernelProvider provider =
        KernelSelector.providers().stream()
            .filter(known -> known.id().equals("opencl"))
            .findFirst()
            .orElseThrow();
    if (provider.availability() instanceof Availability.Unavailable no) {
      System.out.println("SKIPPED openClKernelsGiveTheSameText: " + no.reason());
      Assumptions.abort(no.reason());
    }
    assertEquals(greedy(), greedy("--kernels", "opencl"));
  }

  @Test
  void aSeedReproduces() {
    String first = text("generate", "-p", PROMPT, "-n", "12", "--seed", "7");
    assertEquals(first, text("generate", "-p", PROMPT, "-n", "12", "--seed", "7"));
    assertNotEquals(first, text("generate", "-p", PROMPT, "-n", "12", "--seed", "8"));
  }

  @Test
  void withoutAPromptTheDemoModelIsSeeded() {
    assertEquals(text("generate", "-n", "6"), text("generate", "-n", "6"));
  }

  @Test
  void anEmptyPromptIsBosAlone() throws IOException {
    JsonNode result = json("generate", "-p", "", "-n", "2", "--json");
    assertEquals(1, result.get("prompt_tokens").asInt());
  }

  @Test
  void jsonHasItsVersionAndFields() throws IOException {
    JsonNode result =
        json("generate", "-p", PROMPT, "-n", "8", "--temperature", "0", "--seed", "3", "--json");
    assertEquals(1, result.get("version").asInt());
    assertEquals(PROMPT, result.get("prompt").asText());
    assertEquals("I'll tell you, sir, to", result.get("text").asText());
    assertEquals(8, result.get("tokens").size());
    assertEquals("length", result.get("finish_reason").asText());
    assertTrue(result.get("stop").isNull());
    assertEquals(3, result.get("seed").asInt());
    assertEquals(5, result.get("prompt_tokens").asInt());
    assertTrue(result.get("decode_tokens_per_second").asDouble() > 0);
  }

  @Test
  void aStopStringEndsTheText() throws IOException {
    assertEquals("I'll tell you", greedy("--stop", ", sir"));
    JsonNode result =
        json("generate", "-p", PROMPT, "-n", "8", "--temperature", "0", "--stop", "tell", "--json");
    assertEquals("stop_string", result.get("finish_reason").asText());
    assertEquals("tell", result.get("stop").asText());
    assertEquals("I'll ", result.get("text").asText());
  }

  @Test
  void noLimitOfTokensEndsWithTheContext() throws IOException {
    JsonNode result =
        json("generate", "-p", PROMPT, "-n", "0", "-c", "12", "--ignore-eos", "--json");
    assertEquals("context_full", result.get("finish_reason").asText());
    assertEquals(12 - 5, result.get("tokens").size());
  }

  @Test
  void thePromptComesFromAFileOrStandardInput() throws IOException {
    Path file = Files.writeString(folder.resolve("prompt.txt"), PROMPT);
    String[] args = {"generate", "-n", "8", "--temperature", "0", "--prompt-file"};
    assertEquals(greedy(), text(with(args, file.toString())));
    Run run = Run.withInput(PROMPT, with(args, "-"));
    assertEquals(greedy(), run.out());
    assertEquals(0, run.status());
  }

  @Test
  void timingsGoToStderr() {
    Run run = Run.of("generate", "-p", PROMPT, "-n", "2", "--temperature", "0", "--timings");
    assertEquals(greedy().substring(0, 4), run.out().substring(0, 4));
    assertTrue(run.err().contains("5 prompt tokens at "), run.err());
    assertFalse(run.out().contains("tokens/s"), run.out());
  }

  private static String[] with(String[] args, String last) {
    String[] all = java.util.Arrays.copyOf(args, args.length + 1);
    all[args.length] = last;
    return all;
  }
}
