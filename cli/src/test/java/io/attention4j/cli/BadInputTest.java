package io.attention4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.demo.DemoModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** One sentence on stderr, nothing on stdout, status 1 for data and 2 for usage. */
class BadInputTest {
  @TempDir private Path folder;

  private static void refused(int status, Run run, String... words) {
    assertEquals(status, run.status(), run.err());
    assertEquals("", run.out());
    assertEquals(1, run.err().lines().count(), run.err());
    assertTrue(run.err().startsWith("attention4j"), run.err());
    assertFalse(run.err().contains("Exception"), run.err());
    assertFalse(run.err().contains("internal error"), run.err());
    for (String word : words) {
      assertTrue(run.err().contains(word), "'" + word + "' is not in: " + run.err());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"generate -p x -m", "chat -m", "bench -m", "tokenize x -m", "inspect"})
  void aModelThatIsNotThereIsNamed(String command) {
    Path missing = folder.resolve("missing.gguf");
    String[] args = (command + " " + missing).split(" ");
    refused(1, Run.of(args), missing.toString());
  }

  @Test
  void aMissingTextIsNamed() {
    Path missing = folder.resolve("missing.txt");
    refused(1, Run.of("generate", "--prompt-file", missing.toString()), missing.toString());
    refused(1, Run.of("perplexity", "--text", missing.toString()), missing.toString());
    refused(1, Run.of("generate", "--prompt-file", folder.toString()), folder.toString(), "folder");
  }

  @Test
  void aFileThatIsNoModelIsNamed() throws IOException {
    Path file = Files.writeString(folder.resolve("note.gguf"), "Just a note, not a model at all.");
    refused(1, Run.of("generate", "-p", "x", "-m", file.toString()), file.toString(), "GGUF");
    refused(1, Run.of("inspect", file.toString()), file.toString(), "GGUF");
  }

  @Test
  void aTruncatedModelIsNamed() throws IOException {
    byte[] whole = Files.readAllBytes(DemoModel.file());
    for (int length : new int[] {0, 3, 20, 5000, whole.length / 2, whole.length - 1}) {
      Path file =
          Files.write(folder.resolve("cut" + length + ".gguf"), Arrays.copyOf(whole, length));
      refused(1, Run.of("generate", "-p", "x", "-m", file.toString()), file.toString());
    }
  }

  @Test
  void aPromptLongerThanTheContextIsCounted() {
    String prompt = "to be or not to be ".repeat(20);
    refused(
        1,
        Run.of("generate", "-p", prompt, "-c", "16"),
        "the context holds 16",
        "shorten",
        "tokens");
  }

  @Test
  void aContextLargerThanMemoryIsRefusedBeforeItIsAllocated() {
    refused(
        1,
        Run.of("generate", "-p", "x", "-c", "16000000", "--kv-cache", "paged+f32"),
        "16000000 tokens",
        "GiB",
        "at most");
  }

  @Test
  void unknownNamesListTheKnown() {
    refused(2, Run.of("generate", "-p", "x", "--kernels", "gpu"), "'gpu'", "cpu.simd", "reference");
    refused(2, Run.of("generate", "-p", "x", "--attention", "magic"), "magic", "softmax");
    refused(2, Run.of("generate", "-p", "x", "--kv-cache", "paged+q3"), "q3", "f16", "contiguous");
  }

  @Test
  void valuesOutOfRangeAreWrongUsage() {
    for (List<String> option :
        List.of(
            List.of("--threads", "-1"),
            List.of("--threads", "many"),
            List.of("--context", "-5"),
            List.of("--batch", "0"),
            List.of("--max-tokens", "-1"),
            List.of("--temperature", "-1"),
            List.of("--temperature", "NaN"),
            List.of("--top-p", "2"),
            List.of("--logit-bias", "x"),
            List.of("--logit-bias", "100000=1"))) {
      Run run = Run.of("generate", "-p", "x", option.get(0), option.get(1));
      assertEquals(2, run.status(), option + ": " + run.err());
      assertEquals(1, run.err().lines().count(), run.err());
      assertEquals("", run.out());
    }
  }

  @Test
  void twoPromptsAreWrongUsage() {
    refused(2, Run.of("generate", "-p", "x", "--prompt-file", "y"), "--prompt");
  }

  @Test
  void aModelOfOnesOwnNeedsAPrompt() {
    refused(2, Run.of("generate", "-m", "some.gguf"), "--prompt");
  }

  @Test
  void bytesThatAreNoUtf8AreLocated() throws IOException {
    byte[] bytes = {'o', 'k', (byte) 0xC3, 'x'};
    Path file = Files.write(folder.resolve("latin1.txt"), bytes);
    refused(
        1,
        Run.of("generate", "--prompt-file", file.toString()),
        file.toString(),
        "offset 2",
        "UTF-8");
    refused(
        1, Run.withInput(bytes, "generate", "--prompt-file", "-"), "standard input", "offset 2");
    refused(1, Run.withInput(bytes, "tokenize"), "standard input", "offset 2");
    byte[] cut = {'o', 'k', (byte) 0xC3};
    refused(1, Run.withInput(cut, "tokenize"), "standard input", "offset 2");
  }

  @Test
  void quantizeRefusesWhatItCannotDo() throws IOException {
    Path target = folder.resolve("out.gguf");
    String demo = DemoModel.file().toString();
    refused(2, Run.of("quantize", demo, target.toString(), "Q9"), "Q9", "Q4_K");
    refused(2, Run.of("quantize", demo, target.toString(), "Q2_K"), "Q2_K");
    refused(1, Run.of("quantize", folder + "/none.gguf", target.toString(), "F16"), "none.gguf");
    assertFalse(Files.exists(target));
  }

  @Test
  void aStackTraceOnlyWithDebug() {
    String missing = folder.resolve("missing.gguf").toString();
    Run run = Run.of("generate", "-p", "x", "-m", missing, "--debug");
    assertEquals(1, run.status());
    assertTrue(run.err().contains("\tat io.attention4j."), run.err());
    String last = run.err().lines().toList().getLast();
    assertTrue(last.startsWith("attention4j: ") && last.contains(missing), last);
    assertTrue(Run.of("--debug", "inspect", missing).err().contains("\tat "));
  }

  @Test
  void quantizeNamesTheTypesThatItWritesAndAFolderThatIsNotThere() {
    String in = DemoModel.file().toString();
    refused(2, Run.of("quantize", in, folder + "/o.gguf", "IQ2_XS"), "IQ2_XS", "Q8_0, Q4_0, Q4_K");
    refused(
        2, Run.of("quantize", in, folder + "/o.gguf", "Q5_K"), "Q5_K cannot be written", "Q6_K");
    String missing = folder + "/missing";
    refused(1, Run.of("quantize", in, missing + "/o.gguf", "F16"), missing + ": there is no such");
  }

  @Test
  void anEmptyStopStringIsWrongUsage() {
    refused(2, Run.of("generate", "-p", "x", "--stop", ""), "empty stop string", "leave it out");
  }

  @Test
  void weightsThatAreNoNumbersAreTheFilesFault() throws IOException {
    byte[] bytes = Files.readAllBytes(DemoModel.file());
    for (int i = bytes.length - 40_000;
        i < bytes.length - 1;
        i += 2) { // scales of Q8_0, among others
      bytes[i] = 0;
      bytes[i + 1] = 0x7e;
    }
    Path file = Files.write(folder.resolve("nan.gguf"), bytes);
    refused(
        1,
        Run.of("generate", "-p", "x", "-n", "2", "-m", file.toString()),
        file.toString(),
        "are NaN",
        "download");
  }
}
