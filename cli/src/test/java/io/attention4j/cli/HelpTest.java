package io.attention4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import picocli.CommandLine;
import picocli.CommandLine.Model.OptionSpec;

class HelpTest {
  /** What a command must be given, or it would complain of that first. */
  private static final Map<String, String> REQUIRED =
      Map.of(
          "perplexity", "--text x",
          "act-heads", "--questions x",
          "seer-distill", "--text x -o y",
          "inspect", "x",
          "quantize", "x y F16",
          "convert", "x y",
          "conformance", "--onnx x");

  private static Stream<String> commands() {
    return Main.commandLine().getSubcommands().keySet().stream();
  }

  @Test
  void allCommandsAreThere() {
    assertEquals(
        Set.of(
            "generate",
            "chat",
            "bench",
            "perplexity",
            "inspect",
            "tokenize",
            "quantize",
            "convert",
            "razor-heads",
            "act-heads",
            "seer-distill",
            "doctor",
            "conformance"),
        Main.commandLine().getSubcommands().keySet());
  }

  @ParameterizedTest
  @MethodSource("commands")
  void helpNamesTheCommandAndTheExitStatuses(String command) {
    Run run = Run.of(command, "--help");
    assertEquals(0, run.status());
    assertTrue(run.out().startsWith("Usage: attention4j " + command), run.out());
    assertTrue(run.out().contains("Exit status:"), run.out());
    assertTrue(run.out().contains("2   wrong usage"), run.out());
    assertEquals("", run.err());
    assertTrue(run.out().lines().allMatch(line -> line.length() <= Main.HELP_WIDTH), run.out());
  }

  @ParameterizedTest
  @MethodSource("commands")
  void everyOptionIsDescribedAndHasANamedValue(String name) {
    CommandLine command = Main.commandLine().getSubcommands().get(name);
    for (OptionSpec option : command.getCommandSpec().options()) {
      assertTrue(option.description().length > 0, option.longestName());
      boolean flag = option.arity().max() == 0;
      assertTrue(flag || option.paramLabel().matches("[A-Z=]+"), option + option.paramLabel());
    }
  }

  @ParameterizedTest
  @MethodSource("commands")
  void anUnknownOptionIsWrongUsage(String command) {
    Run run =
        Run.of((command + " --no-such-option " + REQUIRED.getOrDefault(command, "")).split(" "));
    assertEquals(2, run.status());
    assertTrue(run.err().startsWith("attention4j " + command + ": "), run.err());
    assertTrue(run.err().contains("--no-such-option"), run.err());
    assertEquals(1, run.err().lines().count(), run.err());
    assertEquals("", run.out());
  }

  @Test
  void aMistypedCommandIsNamed() {
    Run run = Run.of("generat");
    assertEquals(2, run.status());
    assertTrue(run.err().contains("generat"), run.err());
    assertEquals(1, run.err().lines().count(), run.err());
  }
}
