package io.attention4j.llm;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.attention4j.llm.sampling.LogProbs;
import io.attention4j.llm.tiny.TinyGgufModel;
import io.attention4j.llm.tiny.TinySpec;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Tiny models against llama.cpp on the same files: greedy tokens, and the probabilities of the most
 * probable ones. The recipe is beside the values, in {@code llama-cpp-golden.md}.
 */
class LlamaCppGoldenTest {
  /**
   * llama.cpp computes in F32, keeps its cache in F16 (relative error 2^-11 = 5e-4 of keys and
   * values) and GELU in a table of F16; a probability inherits a few of these.
   */
  private static final double RELATIVE = 0.02;

  private static final LoadOptions OPTIONS =
      LoadOptions.builder().kernels("reference").kvCache("f32").build();

  @TempDir Path folder;

  static List<TinySpec> models() {
    return TinySpec.all();
  }

  @ParameterizedTest
  @MethodSource("models")
  void greedyTokensAndProbabilitiesAgree(TinySpec spec) throws IOException {
    JsonNode golden;
    try (InputStream in = getClass().getResourceAsStream("llama-cpp-golden.json")) {
      golden = new ObjectMapper().readTree(in);
    }
    int[] prompt =
        StreamSupport.stream(golden.get("prompt").spliterator(), false)
            .mapToInt(JsonNode::intValue)
            .toArray();
    JsonNode steps = golden.get("models").get(spec.name());
    int[] expected = new int[steps.size()];
    int[] actual = new int[steps.size()];
    Path file = TinyGgufModel.write(spec, folder.resolve("model.gguf"));
    try (LanguageModel model = LanguageModel.load(file, OPTIONS);
        Session session = model.newSession()) {
      session.append(prompt);
      for (int i = 0; i < expected.length; i++) {
        JsonNode most = steps.get(i);
        expected[i] = most.get(0).get(0).intValue();
        float[] logits = session.logits();
        actual[i] = LogProbs.top(logits, 1).getFirst().token();
        for (JsonNode candidate : most) {
          double probability = candidate.get(1).doubleValue();
          double ours = Math.exp(LogProbs.of(logits, candidate.get(0).intValue()));
          assertEquals(
              probability,
              ours,
              RELATIVE * probability,
              spec + " step " + i + " token " + candidate.get(0));
        }
        session.append(expected[i]);
      }
    }
    assertArrayEquals(expected, actual);
  }
}
