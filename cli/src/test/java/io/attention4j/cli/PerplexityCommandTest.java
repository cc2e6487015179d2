package io.attention4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.attention4j.demo.DemoModel;
import io.attention4j.llm.LanguageModel;
import io.attention4j.llm.LoadOptions;
import io.attention4j.llm.Session;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PerplexityCommandTest {
  private static final String TEXT =
      "ROMEO:\nI will not fight, good Tybalt — peace, café: it is not the night.\n".repeat(2);

  private static JsonNode run(String text, int context) throws IOException {
    Run run =
        Run.withInput(
            text,
            "perplexity",
            "--kernels",
            "reference",
            "--text",
            "-",
            "-c",
            Integer.toString(context),
            "--json");
    assertEquals(0, run.status(), run.err());
    return new ObjectMapper().readTree(run.out());
  }

  /** Token by token from the definition: each token is scored in the last window it is in. */
  @ParameterizedTest
  @ValueSource(ints = {16, 17, 31})
  void agreesWithTheDefinition(int window) throws IOException {
    JsonNode result = run(TEXT, window);
    double nll = 0;
    int scored = 0;
    int bytes = 0;
    LoadOptions options = LoadOptions.builder().kernels("reference").build();
    try (LanguageModel model = LanguageModel.load(DemoModel.file(), options);
        Session session = model.newSession()) {
      int[] tokens = model.tokenizer().encode(TEXT);
      int bos = model.tokenizer().specialTokens().bos().orElseThrow();
      int stride = window - window / 2;
      for (int start = 0; start + window / 2 - 1 < tokens.length; start += stride) {
        for (int at = start + window / 2 - 1;
            at < Math.min(start + window - 1, tokens.length);
            at++) {
          int[] before = new int[1 + at - start];
          before[0] = bos;
          System.arraycopy(tokens, start, before, 1, at - start);
          nll -= session.score(before, new int[] {tokens[at]}).total();
          bytes += model.tokenizer().pieceBytes(tokens[at]).length;
          scored++;
        }
      }
      assertEquals(tokens.length, result.get("tokens").asInt());
      assertEquals(tokens.length - (window / 2 - 1), scored);
    }
    assertEquals(1, result.get("version").asInt());
    assertEquals(scored, result.get("scored_tokens").asInt());
    assertEquals(bytes, result.get("scored_bytes").asInt());
    assertTrue(bytes < TEXT.getBytes(StandardCharsets.UTF_8).length);
    // Activations between kernels are f32, and a batch of another size may round them otherwise.
    assertEquals(nll / scored, result.get("mean_nll_nats").asDouble(), 1e-5);
    assertEquals(
        Math.exp(result.get("mean_nll_nats").asDouble()),
        result.get("perplexity").asDouble(),
        1e-9);
    assertEquals(
        result.get("mean_nll_nats").asDouble() * scored / Math.log(2) / bytes,
        result.get("bits_per_byte").asDouble(),
        1e-9);
  }

  @Test
  void theOutputStatesTheWindows() {
    Run run = Run.withInput(TEXT, "perplexity", "--text", "-", "-c", "32");
    assertEquals(0, run.status(), run.err());
    assertTrue(
        run.out()
            .contains(
                "of 32 tokens (the context), 16 apart, each starting with BOS, the first 16"
                    + " positions not scored"),
        run.out());
    assertTrue(run.out().contains("nats per token"), run.out());
    assertTrue(run.out().contains("bits per byte"), run.out());
  }

  @Test
  void aTextWithoutAScoredTokenIsRefused() {
    for (String text : Arrays.asList("", "To be")) {
      Run run = Run.withInput(text, "perplexity", "--text", "-", "-c", "64");
      assertEquals(1, run.status());
      assertEquals("", run.out());
      assertTrue(run.err().contains("longer text"), run.err());
      assertEquals(1, run.err().lines().count(), run.err());
    }
  }
}
