package io.attention4j.llm;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.attention4j.llm.format.SharedFiles;
import io.attention4j.llm.sampling.SamplingOptions;
import io.attention4j.llm.tiny.RecordingOperator;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Trained models against what others got from them. */
class RealModelsTest {
  private static final LoadOptions OPTIONS = options("reference");

  private static LoadOptions options(String kernels) {
    return LoadOptions.builder().kernels(kernels).kvCache("f32").build();
  }

  private static GenerationRequest greedy(String prompt, int tokens) {
    return GenerationRequest.builder()
        .prompt(prompt)
        .maxTokens(tokens)
        .sampling(SamplingOptions.ofGreedy())
        .build();
  }

  @ParameterizedTest
  @CsvSource({
    "stories260K.gguf,reference",
    "stories260K.gguf,auto",
    "stories260K.f16.gguf,reference",
    "stories260K.f16.gguf,auto"
  })
  void stories260kGreedyTextIsThatOfLlama2c(String file, String kernels) throws IOException {
    Path folder = SharedFiles.require("data/models/stories260K");
    byte[] expected = Files.readAllBytes(folder.resolve("expected_greedy_200steps.txt"));
    try (LanguageModel model = LanguageModel.load(folder.resolve(file), options(kernels));
        Session session = model.newSession()) {
      GenerationResult result = session.generate(greedy("", 200)).run();
      assertArrayEquals(expected, result.text().getBytes(StandardCharsets.UTF_8));
      assertEquals(FinishReason.LENGTH, result.finishReason());
    }
  }

  /** With the kernels and the F16 cache that an application gets, over the whole of each answer. */
  @ParameterizedTest
  @ValueSource(strings = {"bard-2.5m-F16.gguf", "bard-2.5m-Q8_0.gguf"})
  void bardOnDefaultsGivesTheTextOfTheFloat64Script(String file) throws IOException {
    Path folder = SharedFiles.require("models/bard-2.5m");
    JsonNode cases = new ObjectMapper().readTree(folder.resolve("expected.json").toFile());
    try (LanguageModel model = LanguageModel.load(folder.resolve(file))) {
      for (JsonNode example : cases.get("cases")) {
        try (Session session = model.newSession()) {
          String prompt = example.get("prompt").textValue();
          GenerationResult result = session.generate(greedy(prompt, 100)).run();
          assertEquals(
              example.get("files").get(file).get("greedy_text").textValue(), result.text());
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"bard-2.5m-F16.gguf", "bard-2.5m-Q8_0.gguf"})
  void bardGreedyTokensAreThoseOfTheFloat64Script(String file) throws IOException {
    Path folder = SharedFiles.require("models/bard-2.5m");
    JsonNode cases = new ObjectMapper().readTree(folder.resolve("expected.json").toFile());
    try (LanguageModel model = LanguageModel.load(folder.resolve(file), OPTIONS)) {
      for (int i = 0; i < 2; i++) { // the third prompt is long for plain loops
        JsonNode example = cases.get("cases").get(i);
        JsonNode expected = example.get("files").get(file);
        String prompt = example.get("prompt").textValue();
        assertArrayEquals(
            ints(example.get("prompt_ids")), model.tokenizer().encodeWithSpecialTokens(prompt));
        try (Session session = model.newSession()) {
          session.append(ints(example.get("prompt_ids")));
          float[] logits = session.logits();
          for (int t = 0; t < logits.length; t++) {
            // Printed with 5 digits; F32 activations add about as much.
            double wanted = expected.get("first_step_logits").get(t).doubleValue();
            assertEquals(wanted, logits[t], 5e-5, "logit " + t);
          }
          GenerationResult result = session.generate(greedy(prompt, 40)).run();
          String text = expected.get("greedy_text").textValue();
          assertTrue(text.startsWith(result.text()), result.text() + " begins not " + text);
        }
      }
    }
  }

  private static int[] ints(JsonNode node) {
    return StreamSupport.stream(node.spliterator(), false).mapToInt(JsonNode::intValue).toArray();
  }

  @Test
  void theHuggingFaceFolderOfBardGivesItsGgufsNumbers() throws IOException {
    Path folder = SharedFiles.require("models/bard-2.5m");
    try (LanguageModel gguf = LanguageModel.load(folder.resolve("bard-2.5m-F16.gguf"), OPTIONS);
        LanguageModel huggingFace = LanguageModel.load(folder, OPTIONS);
        Session a = gguf.newSession();
        Session b = huggingFace.newSession()) {
      int[] tokens = gguf.tokenizer().encodeWithSpecialTokens("It is a truth");
      assertArrayEquals(tokens, huggingFace.tokenizer().encodeWithSpecialTokens("It is a truth"));
      a.append(tokens);
      b.append(tokens);
      float[] rounded = a.logits();
      float[] exact = b.logits();
      for (int t = 0; t < exact.length; t++) {
        // F16 weights err by 2^-12 each; logits of size 10 sum up a few hundred of them.
        assertEquals(exact[t], rounded[t], 0.05, "logit " + t);
      }
    }
  }

  @Test
  void tinyStories656kRunsFromItsFolder() throws IOException {
    Path folder = SharedFiles.require("data/models/TinyStories-656K");
    try (LanguageModel model = LanguageModel.load(folder, OPTIONS);
        Session session = model.newSession()) {
      GenerationResult result = session.generate(greedy("Once upon a time", 30)).run();
      assertEquals(", a little girl named Lily lived", result.text().substring(0, 32));
      double story = session.score("Once upon a time, there was", " a little girl").mean();
      double noise = session.score("Once upon a time, there was", " purple seven of").mean();
      assertTrue(story > noise + 2, story + " against " + noise);
    }
  }

  /**
   * The reference is float64 throughout and stored as F32; our activations and cache are F32
   * between layers, which moves logits of size 20, and keys and queries of size 10, by a few 1e-5.
   */
  @Test
  void layersAndLogitsAgreeWithTheStoredFloat64Run() throws IOException {
    Path folder = SharedFiles.require("data/attention-refs/stories260K-greedy512");
    Path file = SharedFiles.require("data/models/stories260K/stories260K.gguf");
    int[] tokens = new int[192];
    little(folder.resolve("tokens.i32.bin")).asIntBuffer().get(tokens);
    LoadOptions recording =
        LoadOptions.builder()
            .kernels("reference")
            .kvCache("f32")
            .attention("test.record")
            .maxBatchRows(tokens.length)
            .build();
    int[] compared = new int[1];
    try (LanguageModel model = LanguageModel.load(file, recording);
        Session session = model.newSession()) {
      RecordingOperator.RECORDER.set(
          (layer, what, values) -> {
            assertStored(folder, "blk" + layer + "." + what, 0, values);
            compared[0]++;
          });
      session.append(tokens.clone());
      RecordingOperator.RECORDER.remove();
      assertEquals(5 * 4, compared[0], "tensors compared");
      float[] logits = session.logits();
      assertStored(folder, "logits", (tokens.length - 1) * logits.length, logits);
    }
  }

  private static void assertStored(Path folder, String name, int from, float[] actual) {
    FloatBuffer expected;
    try {
      expected = little(folder.resolve(name + ".f32.bin")).asFloatBuffer();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    for (int i = 0; i < actual.length; i++) {
      assertTrue(Float.isFinite(actual[i]), name + " element " + i + " is " + actual[i]);
      assertEquals(expected.get(from + i), actual[i], 1e-4, name + " element " + i);
    }
  }

  private static ByteBuffer little(Path file) throws IOException {
    return ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
  }
}
