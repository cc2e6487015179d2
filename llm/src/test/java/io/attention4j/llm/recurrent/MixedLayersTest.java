package io.attention4j.llm.recurrent;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.llm.GenerationRequest;
import io.attention4j.llm.LanguageModel;
import io.attention4j.llm.LoadOptions;
import io.attention4j.llm.Session;
import io.attention4j.llm.sampling.SamplingOptions;
import io.attention4j.llm.tiny.TinyGgufModel;
import io.attention4j.llm.tiny.TinySpec;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A model whose layers have operators of different kinds. */
class MixedLayersTest {
  @TempDir Path folder;

  private LanguageModel load(String model, String attention) throws IOException {
    Path file = TinyGgufModel.write(TinySpec.of(model), folder.resolve(model + ".gguf"));
    LoadOptions options =
        LoadOptions.builder()
            .kernels("reference")
            .kvCache("f32")
            .attention(attention)
            .maxBatchRows(8)
            .build();
    return LanguageModel.load(file, options);
  }

  /** Goes on after what the session has seen. */
  private static GenerationRequest request(List<Integer> prompt) {
    return GenerationRequest.builder()
        .promptTokens(prompt)
        .append(true)
        .sampling(SamplingOptions.ofGreedy())
        .maxTokens(9)
        .ignoreEnd(true)
        .build();
  }

  private static List<Integer> prompt() {
    return IntStream.range(0, 19).mapToObj(i -> (5 + 31 * i) % TinySpec.VOCABULARY).toList();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "0=softmax,1=gdn:seed=1",
        "0=retnet,1=sigmoid:bias=-3",
        "0=titans.mag:seed=1;chunk=4;window=6,1=softmax",
        "0=titans.mac:seed=1;chunk=4;window=6,1=gla:seed=1",
        "0=softmax,1=static-embeddings:seed=1",
        "0=aaren:seed=1,1=lama:seed=1",
        "0=mlp:seed=1,1=softmax",
        "0=metamixer:seed=1,1=random-embeddings:seed=1;tokens=64",
        "miras.yaad:seed=1;chunk=4"
      })
  void generatesTheSameInPiecesAndAfterARewind(String attention) throws IOException {
    try (LanguageModel model = load("llama", attention);
        Session session = model.newSession();
        Session other = model.newSession()) {
      int[] tokens = session.generate(request(prompt())).run().tokens();
      float[] logits = session.logits();
      assertEquals(9, tokens.length);
      for (float logit : logits) {
        assertTrue(Float.isFinite(logit));
      }
      // The same text, some of it said before.
      other.generate(request(prompt().subList(0, 7))).run();
      other.rewind(7);
      assertArrayEquals(
          tokens, other.generate(request(prompt().subList(7, prompt().size()))).run().tokens());
    }
  }

  @Test
  void aSavedSessionGoesOn() throws IOException {
    Path file = folder.resolve("session.bin");
    try (LanguageModel model =
            load("llama", "0=titans.mag:seed=1;chunk=4;window=6,1=kda:seed=1;rank=3");
        Session session = model.newSession();
        Session loaded = model.newSession()) {
      session.generate(request(prompt())).run();
      session.save(file);
      loaded.restore(file);
      List<Integer> more = List.of(3, 9, 27);
      assertArrayEquals(
          session.generate(request(more)).run().tokens(),
          loaded.generate(request(more)).run().tokens());
    }
  }

  private String refusal(String model, String attention) {
    return assertThrows(Exception.class, () -> load(model, attention).close()).getMessage();
  }

  @Test
  void weightsThatTheModelLacksAreNamedWithTheWaysToGiveThem() {
    String message = refusal("llama", "0=softmax,1=gdn");
    assertTrue(message.contains("lack 'w_dt' [32, 2]"), message);
    assertTrue(message.contains("gdn:weights=FILE") && message.contains("gdn:seed=N"), message);
    String file = refusal("llama", "titans.mac:weights=" + folder.resolve("nowhere.safetensors"));
    assertTrue(file.contains("nowhere.safetensors"), file);
    String both = refusal("llama", "gla:weights=a;seed=1");
    assertTrue(both.contains("give one"), both);
  }

  /** qwen3 attends with twice as many elements as its hidden states have. */
  @Test
  void aLayerOfAnotherWidthIsRefused() {
    String message = refusal("qwen3", "titans.mal:seed=1");
    assertTrue(message.contains("32 elements") && message.contains("64"), message);
  }

  @Test
  void aTextHasNoSeed() {
    String message = refusal("llama", "fixed-sequence:seed=1");
    assertTrue(message.contains("no setting 'seed'"), message);
  }
}
