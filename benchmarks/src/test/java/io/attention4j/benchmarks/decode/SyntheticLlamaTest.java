package io.attention4j.benchmarks.decode;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.tensor.DType;
import io.attention4j.llm.LanguageModel;
import io.attention4j.llm.LoadOptions;
import io.attention4j.llm.Session;
import io.attention4j.llm.tokenizer.Tokenizer;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class SyntheticLlamaTest {
  private static final SyntheticLlama.Sizes TINY =
      new SyntheticLlama.Sizes(256, 2, 4, 2, 512, 5000, 128);

  @TempDir private Path folder;

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"F32", "F16", "Q8_0", "Q4_0", "Q4_K"})
  void ourEngineLoadsAndTimesIt(DType dtype) throws Exception {
    Path file = folder.resolve("tiny.gguf");
    SyntheticLlama.write(file, TINY, dtype);
    LoadOptions options = LoadOptions.builder().contextTokens(64).threads(1).build();
    try (LanguageModel model = LanguageModel.load(file, options);
        Session session = model.newSession()) {
      session.append(1, 2, 3);
      for (float logit : session.logits()) {
        assertTrue(Float.isFinite(logit), "logit " + logit);
      }
    }
    try (OurEngine engine = new OurEngine(file, options)) {
      engine.fill(0);
      engine.fill(20);
      assertTrue(engine.decodeSeconds(0, 4) > 0);
      assertTrue(engine.decodeSeconds(20, 4) > 0);
      assertTrue(engine.decodeSeconds(20, 4) > 0, "a second time, from the same depth");
      assertTrue(engine.prefillSeconds(32) > 0);
      double parameters = 5000.0 * 256 + 2 * (2.0 * 256 * 256 + 2.0 * 128 * 256 + 3.0 * 256 * 512);
      double norms = 5 * 256 * 4;
      assertEquals(
          dtype.bytes((long) parameters) + norms,
          engine.work().passBytes(0, 1),
          0.02 * dtype.bytes((long) parameters));
    }
  }

  @Test
  void theVocabularyMergesLettersAndKeepsBytes() throws Exception {
    Path file = folder.resolve("tiny.gguf");
    SyntheticLlama.write(file, TINY, DType.Q8_0);
    try (Tokenizer tokenizer = LanguageModel.openTokenizer(file)) {
      int[] tokens = tokenizer.encode("et \u00e9");
      assertEquals("et \u00e9", tokenizer.decode(tokens));
      assertEquals(4, tokens.length, "et, the space and two bytes");
    }
  }

  @Test
  void aVocabularyThatCannotBeMadeUpIsRefused() {
    SyntheticLlama.Sizes few = new SyntheticLlama.Sizes(256, 2, 4, 2, 512, 300, 128);
    assertThrows(
        IllegalArgumentException.class,
        () -> SyntheticLlama.write(folder.resolve("few.gguf"), few, DType.F32));
  }
}
