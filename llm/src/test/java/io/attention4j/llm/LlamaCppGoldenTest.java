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
  private static final double RELATIVE = 0.01;

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
    int[] tokens =
        StreamSupport.stream(golden.get("tokens").spliterator(), false)
            .mapToInt(JsonNode::intValue)
            .toArray();
    JsonNode rows = golden.get("models").get(spec.name());
    int[] expected = new int[tokens.length];
    int[] actual = new int[tokens.length];
    Path file = TinyGgufModel.write(spec, folder.resolve("model.gguf"));
    try (LanguageModel model = LanguageModel.load(file, OPTIONS);
        Session session = model.newSession()) {
      for (int i = 0; i < tokens.length; i++) {
        session.append(tokens[i]);
        JsonNode most = rows.get(i);
        expected[i] = most.get(0).get(0).intValue();
        float[] logits = session.logits();
        actual[i] = LogProbs.top(logits, 1).getFirst().token();
        if (actual[i] == most.get(1).get(0).intValue() && isTie(most)) {
          actual[i] = expected[i];
        }
        for (JsonNode candidate : most) {
          double probability = candidate.get(1).doubleValue();
          double ours = Math.exp(LogProbs.of(logits, candidate.get(0).intValue()));
          assertEquals(
              probability,
              ours,
              RELATIVE * probability,
              spec + " position " + i + " token " + candidate.get(0));
        }
      }
    }
    assertArrayEquals(expected, actual);
  }

  /** Whether rounding may swap the two most probable tokens. */
  private static boolean isTie(JsonNode most) {
    double first = most.get(0).get(1).doubleValue();
    return first - most.get(1).get(1).doubleValue() < RELATIVE * first;
  }
}
