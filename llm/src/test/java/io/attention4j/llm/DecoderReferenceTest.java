package io.attention4j.llm;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.llm.tiny.TinyGgufModel;
import io.attention4j.llm.tiny.TinyHuggingFaceModel;
import io.attention4j.llm.tiny.TinyReference;
import io.attention4j.llm.tiny.TinySpec;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every architecture against float64 plain loops that share nothing with the decoder. */
class DecoderReferenceTest {
  /**
   * Activations are stored in F32 (relative error 2^-24 = 6e-8 each) between kernels that compute
   * in float64. Some hundred of them lie between a token and its logits of size 1 to 30, and
   * softmax and norms stretch errors by single digits.
   */
  private static final double TOLERANCE = 1e-4;

  private static final LoadOptions OPTIONS =
      LoadOptions.builder().kernels("reference").kvCache("paged:page=4+f32").build();

  @TempDir Path folder;

  static List<TinySpec> models() {
    return TinySpec.all();
  }

  static int[] tokens(TinySpec spec, int count) {
    SplittableRandom random = new SplittableRandom(spec.name().hashCode() + 1L);
    return random.ints(count, 0, TinySpec.VOCABULARY).toArray();
  }

  @ParameterizedTest
  @MethodSource("models")
  void decodeEqualsTheReference(TinySpec spec) throws IOException {
    int[] tokens = tokens(spec, 20);
    double[][] expected = new TinyReference(spec).logits(tokens);
    Path file = TinyGgufModel.write(spec, folder.resolve("model.gguf"));
    try (LanguageModel model = LanguageModel.load(file, OPTIONS);
        Session session = model.newSession()) {
      for (int t = 0; t < tokens.length; t++) {
        session.append(tokens[t]);
        assertClose(expected[t], session.logits(), spec + " token " + t);
      }
    }
  }

  /** The same weights under transformers' names, in its layout; prefill, since decode is above. */
  @ParameterizedTest
  @MethodSource("models")
  void aHuggingFaceFolderEqualsTheReference(TinySpec spec) throws IOException {
    int[] tokens = tokens(spec, 20);
    double[][] expected = new TinyReference(spec).logits(tokens);
    Path file = TinyHuggingFaceModel.write(spec, folder.resolve("model"));
    try (LanguageModel model = LanguageModel.load(file, OPTIONS);
        Session session = model.newSession()) {
      session.append(tokens.clone());
      assertClose(expected[tokens.length - 1], session.logits(), spec.toString());
    }
  }

  /** Kernels compute each row by itself, so cutting the rows otherwise changes no bit. */
  @ParameterizedTest
  @MethodSource("models")
  void prefillEqualsDecode(TinySpec spec) throws IOException {
    int[] tokens = tokens(spec, 20);
    Path file = TinyGgufModel.write(spec, folder.resolve("model.gguf"));
    LoadOptions chunks =
        LoadOptions.builder()
            .kernels("reference")
            .kvCache("paged:page=4+f32")
            .maxBatchRows(7)
            .build();
    try (LanguageModel model = LanguageModel.load(file, OPTIONS);
        LanguageModel chunked = LanguageModel.load(file, chunks);
        Session stepwise = model.newSession();
        Session whole = model.newSession();
        Session inChunks = chunked.newSession()) {
      for (int token : tokens) {
        stepwise.append(token);
      }
      whole.append(tokens.clone());
      inChunks.append(tokens.clone());
      assertArrayEquals(stepwise.logits(), whole.logits());
      assertArrayEquals(stepwise.logits(), inChunks.logits());
    }
  }

  static void assertClose(double[] expected, float[] actual, String what) {
    for (int i = 0; i < expected.length; i++) {
      assertTrue(Float.isFinite(actual[i]), what + " logit " + i + " is " + actual[i]);
      assertTrue(
          Math.abs(expected[i] - actual[i]) <= TOLERANCE,
          what + " logit " + i + " is " + actual[i] + ", not " + expected[i]);
    }
  }
}
