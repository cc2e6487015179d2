package io.attention4j.llm.recurrent;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.llm.GenerationRequest;
import io.attention4j.llm.LanguageModel;
import io.attention4j.llm.LoadOptions;
import io.attention4j.llm.Session;
import io.attention4j.llm.format.FuzzRun;
import io.attention4j.llm.format.SharedFiles;
import io.attention4j.llm.sampling.SamplingOptions;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The published RWKV-7 of 834K parameters with its published logits. */
class TinyRwkvTest {
  private static final String FOLDER = "data/models/tiny-rwkv-7/";

  @TempDir Path folder;

  static Path model(String type) {
    return SharedFiles.require(FOLDER + "tiny-rwkv-7v0-834K-" + type + ".bin");
  }

  private static LoadOptions options(String kernels) {
    return LoadOptions.builder().kernels(kernels).build();
  }

  /** The weights are numbers of FP16, so both files give the same. */
  @ParameterizedTest
  @CsvSource({
    "FP32, reference, 1e-3",
    "FP32, cpu.scalar, 1e-3",
    "FP32, cpu.simd, 1e-3",
    "FP16, cpu.simd, 1e-3"
  })
  void logitsAreThePublishedOnes(String type, String kernels, double tolerance) throws IOException {
    ByteBuffer expected =
        ByteBuffer.wrap(
                Files.readAllBytes(SharedFiles.require(FOLDER + "expected-logits-7v0-834K.bin")))
            .order(ByteOrder.LITTLE_ENDIAN);
    byte[] prompt = "\"in".getBytes(StandardCharsets.UTF_8);
    try (LanguageModel model = LanguageModel.load(model(type), options(kernels));
        Session whole = model.newSession();
        Session stepwise = model.newSession()) {
      int[] tokens = model.tokenizer().encode("\"in");
      assertArrayEquals(new int[] {prompt[0], prompt[1], prompt[2]}, tokens);
      whole.append(tokens);
      for (int token : tokens) {
        stepwise.append(token);
      }
      double worst = 0;
      for (float[] logits : List.of(whole.logits(), stepwise.logits())) {
        for (int i = 0; i < logits.length; i++) {
          assertTrue(Float.isFinite(logits[i]), "logit " + i + " is " + logits[i]);
          worst = Math.max(worst, Math.abs(logits[i] - expected.getFloat(4 * i)));
        }
      }
      System.out.println(type + " on " + kernels + ": max abs difference " + worst);
      assertTrue(worst < tolerance, "max abs difference " + worst);
    }
  }

  @Test
  void generatesTheSameTextOnEveryProvider() throws IOException {
    GenerationRequest request =
        GenerationRequest.builder()
            .prompt("\"in")
            .maxTokens(60)
            .sampling(SamplingOptions.ofGreedy())
            .build();
    String expected = null;
    for (String kernels : List.of("reference", "cpu.scalar", "cpu.simd")) {
      try (LanguageModel model = LanguageModel.load(model("FP32"), options(kernels));
          Session session = model.newSession()) {
        String text = session.generate(request).run().text();
        expected = expected == null ? text : expected;
        assertEquals(expected, text, kernels);
      }
    }
    System.out.println("tiny-rwkv-7: \"in" + expected);
    assertEquals(60, expected.getBytes(StandardCharsets.UTF_8).length);
  }

  /** Rewinding to a snapshot computes nothing; rewinding elsewhere computes from the one before. */
  @Test
  void goesBackBySnapshotsForksAndSaves() throws IOException {
    int[] text = "Once upon a time there was".chars().toArray();
    try (LanguageModel model = LanguageModel.load(model("FP32"), options("cpu.simd"));
        Session session = model.newSession();
        Session fresh = model.newSession()) {
      session.append(Arrays.copyOf(text, 10));
      session.snapshot();
      session.append(Arrays.copyOfRange(text, 10, text.length));
      float[] end = session.logits();
      try (Session fork = session.fork()) {
        session.rewind(10);
        session.append(Arrays.copyOfRange(text, 10, text.length));
        assertArrayEquals(end, session.logits());
        fork.rewind(13); // no snapshot there: from 10 on again
        fresh.append(Arrays.copyOf(text, 13));
        assertEquals(13, fork.position());
        assertClose(fresh.logits(), fork.logits());
      }
      Path file = folder.resolve("session");
      session.save(file);
      try (Session restored = model.newSession()) {
        restored.restore(file);
        restored.append(text[0]);
        session.append(text[0]);
        assertArrayEquals(session.logits(), restored.logits());
      }
    }
  }

  /** Chunks cut elsewhere sum in another order. */
  private static void assertClose(float[] expected, float[] actual) {
    for (int i = 0; i < expected.length; i++) {
      assertEquals(expected[i], actual[i], 1e-4, "logit " + i);
    }
  }

  @Test
  void anotherAttentionIsRefused() {
    Path file = model("FP32");
    LoadOptions window = LoadOptions.builder().attention("window:tokens=4").build();
    String message =
        assertThrows(IllegalArgumentException.class, () -> LanguageModel.load(file, window))
            .getMessage();
    assertEquals(
        "attention 'window:tokens=4' cannot replace the recurrence of rwkv7; leave the option out"
            + " for this model",
        message);
  }

  @Test
  void damagedFilesAreRefusedInOneSentence() throws IOException {
    byte[] whole = Files.readAllBytes(model("FP16"));
    // The header and the small tensors of the first layer: where lengths are.
    byte[] start = Arrays.copyOf(whole, 64 << 10);
    FuzzRun.run(
        "tiny-rwkv-7",
        List.of(whole, start),
        folder.resolve("damaged.bin"),
        file -> LanguageModel.openTokenizer(file).close());
  }
}
