package io.attention4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ChatCommandTest {
  @TempDir private static Path folder;
  private static String model;

  @BeforeAll
  static void makeModel() throws IOException {
    model = TestModels.withTemplate(folder, TestModels.TEMPLATE).toString();
  }

  private static Run chat(String input, String... more) {
    String[] args = {"chat", "-m", model, "--temperature", "0", "-n", "6"};
    String[] all = java.util.Arrays.copyOf(args, args.length + more.length);
    System.arraycopy(more, 0, all, args.length, more.length);
    return Run.withInput(input, all);
  }

  private static List<String> answers(Run run) {
    assertEquals(0, run.status(), run.err());
    assertEquals("", run.err());
    return run.out().lines().toList();
  }

  @Test
  void anAnswerContinuesTheRenderedTemplate() {
    Run chat = chat("Hello there\n");
    Run generate =
        Run.of(
            "generate",
            "-m",
            model,
            "--temperature",
            "0",
            "-n",
            "6",
            "-p",
            "user: Hello there<|sep|>assistant:"); // BOS is added
    assertEquals(generate.out() + System.lineSeparator(), chat.out());
    assertEquals("", chat.err());
  }

  @Test
  void historyCountsAndResetForgetsIt() {
    String one = chat("Hello\n").out();
    String both = chat("Good morrow, my lord\nHello\n").out();
    assertNotEquals(one, both.substring(both.length() - one.length()));
    String after = chat("Good morrow, my lord\n/reset\nHello\n").out();
    assertTrue(after.endsWith(one), after + " does not end with " + one);
  }

  @Test
  void theSystemMessageComesFirstAndSurvivesReset() {
    String plain = chat("Hello\n").out();
    String told = chat("Hello\n", "--system", "You are a king of few words.").out();
    assertNotEquals(plain, told);
    String again = chat("x\n/reset\nHello\n", "--system", "You are a king of few words.").out();
    assertTrue(again.endsWith(told), again + " does not end with " + told);
  }

  @Test
  void exitAndTheEndOfInputEnd() {
    assertEquals(List.of(), answers(chat("/exit\nHello\n")));
    assertEquals(List.of(), answers(chat("")));
    assertEquals(List.of(), answers(chat("\n  \n")));
    assertEquals(chat("Hello\n").out(), chat("Hello").out());
  }

  @Test
  void aMessageThatDoesNotFitIsReportedAndTheConversationGoesOn() {
    String small = "40";
    String fits = chat("Hello\n", "-c", small).out();
    Run run = chat("word ".repeat(60) + "\nHello\n", "-c", small);
    assertEquals(1, run.status());
    assertEquals(fits, run.out());
    assertEquals(1, run.err().lines().count(), run.err());
    assertTrue(run.err().contains("the context holds 40"), run.err());
  }

  @Test
  void aFullContextIsSaid() {
    Run run = Run.withInput("Hello\n", "chat", "-m", model, "--temperature", "0", "-c", "14");
    assertEquals(0, run.status());
    assertTrue(run.err().contains("the context of 14 tokens is full"), run.err());
  }

  @Test
  void aRefusingTemplateIsOneSentence() throws IOException {
    Path strict =
        TestModels.withTemplate(
            folder.resolve(".."),
            "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif"
                + " %}");
    try {
      Run run =
          Run.withInput("Hello\n", "chat", "-m", strict.toString(), "--system", "x", "-n", "1");
      assertEquals(1, run.status());
      assertTrue(run.err().contains("no system role"), run.err());
      assertEquals(1, run.err().lines().count(), run.err());
    } finally {
      java.nio.file.Files.delete(strict);
    }
  }

  @Test
  void aModelWithoutATemplatePointsToGenerate() {
    Run run = Run.withInput("Hello\n", "chat");
    assertEquals(1, run.status());
    assertEquals("", run.out());
    assertTrue(run.err().contains("no chat template"), run.err());
    assertTrue(run.err().contains("attention4j generate"), run.err());
    assertEquals(1, run.err().lines().count(), run.err());
  }

  @Test
  void inputThatIsNoUtf8IsOneSentence() {
    Run run = Run.withInput(new byte[] {(byte) 0xFF, '\n'}, "chat", "-m", model);
    assertEquals(1, run.status());
    assertTrue(run.err().contains("UTF-8"), run.err());
  }
}
