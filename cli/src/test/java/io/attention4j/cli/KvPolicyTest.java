package io.attention4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.demo.DemoModel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** KV-cache policies from the command line, on the demo model. */
class KvPolicyTest {
  private static final String PROMPT =
      "The passkey of Mercutio is 40718. ROMEO: But soft, what light through yonder window breaks?"
          + " It is the east, and Juliet is the sun. The passkey of Mercutio is";

  private static String generate(String cache, String... more) {
    List<String> args =
        new ArrayList<>(
            List.of("generate", "-p", PROMPT, "-n", "12", "--temperature", "0", "--kv-cache"));
    args.add(cache);
    args.addAll(List.of(more));
    Run run = Run.of(args.toArray(String[]::new));
    assertEquals(0, run.status(), run.err());
    return run.out();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "sink-window:tokens=4096",
        "snapkv:keep=1",
        "h2o:keep=1",
        "expected-attention:keep=1",
        "razor:induction=1",
        "quest:tokens=4096"
      })
  void whatDropsNothingIsTheFullCache(String cache) {
    assertEquals(generate("full"), generate(cache));
  }

  @Test
  void retrievalHeadsAloneFindThePasskey(@TempDir Path folder) throws Exception {
    Path heads = folder.resolve("heads.tsv");
    Run run = Run.of("razor-heads", "--period", "120", "-o", heads.toString());
    assertEquals(0, run.status(), run.err());
    assertTrue(Files.readString(heads).contains("[induction]"));
    String settings = ";buffer=8;compression=100;echo=0";
    String razor = "razor:file=" + heads + ";induction=0.25" + settings;
    assertTrue(generate(razor).contains("40718"), generate(razor));
    String without = "razor:file=" + heads + ";induction=0" + settings;
    assertTrue(!generate(without).contains("40718"), generate(without));
  }

  /** The demo model as its own draft. */
  @ParameterizedTest
  @ValueSource(strings = {"speckv:tokens=4096", "specpc:tokens=4096"})
  void aDraftWithNothingToDoChangesNothing(String cache) {
    String demo = DemoModel.file().toString();
    assertEquals(generate("full"), generate(cache, "--draft-model", demo));
  }

  @Test
  void aDraftFindsThePasskey() {
    String demo = DemoModel.file().toString();
    String speckv = "speckv:keep=0.6;window=8;lookahead=12";
    assertTrue(generate(speckv, "--draft-model", demo).contains("40718"));
    Run missing = Run.of("generate", "-p", "x", "--kv-cache", speckv);
    assertTrue(missing.status() != 0 && missing.err().contains("--draft-model"), missing.err());
  }

  /** The option that act-heads prints is one that the decoder takes. */
  @Test
  void headsForCalibrationAreFoundByQuestions(@TempDir Path folder) throws Exception {
    Path questions = folder.resolve("questions.jsonl");
    String prompt = PROMPT.replace("\"", "");
    Files.writeString(
        questions,
        "{\"prompt\": \"" + prompt + "\", \"choices\": [\" 40718\", \" 99999\"], \"answer\": 1}\n");
    Run run = Run.of("act-heads", "--questions", questions.toString(), "--tau", "0.01");
    assertEquals(0, run.status(), run.err());
    assertTrue(run.out().startsWith("0 of 1 right without calibration"), run.out());
    String last = run.out().lines().toList().getLast();
    if (last.startsWith("--attention '")) {
      String option = last.substring(last.indexOf('\'') + 1, last.lastIndexOf('\''));
      Run used = Run.of("generate", "-p", "x", "-n", "1", "--attention", option);
      assertEquals(0, used.status(), used.err());
    } else {
      assertEquals("no head helps; leave --attention out", last);
    }
    Files.writeString(questions, "{\"prompt\": 3}\n");
    Run bad = Run.of("act-heads", "--questions", questions.toString());
    assertTrue(bad.status() != 0 && bad.err().contains("line 1"), bad.err());
  }

  @Test
  void refusesWhatHasNoMeaning() {
    Run clash = Run.of("generate", "-p", "x", "--kv-cache", "quest", "--attention", "hyper");
    assertEquals(2, clash.status(), clash.err());
    assertTrue(clash.err().contains("leave one of them out"), clash.err());
    Run missing = Run.of("generate", "-p", "x", "--kv-cache", "razor:file=nowhere.tsv");
    assertTrue(missing.status() != 0 && missing.err().contains("razor-heads"), missing.err());
  }
}
