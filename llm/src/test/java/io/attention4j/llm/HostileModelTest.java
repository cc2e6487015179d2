package io.attention4j.llm;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.llm.format.ModelFormatException;
import io.attention4j.llm.sampling.SamplingOptions;
import io.attention4j.llm.tiny.TinyGgufModel;
import io.attention4j.llm.tiny.TinyHuggingFaceModel;
import io.attention4j.llm.tiny.TinySpec;
import io.attention4j.llm.tokenizer.TokenizerException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Files whose settings lie: they load and run, or one sentence says why not. The readers have fuzz
 * tests of their own; here the bytes are well-formed and their meaning is not.
 */
class HostileModelTest {
  private static final int FILES = Integer.getInteger("attention4j.hostile.files", 150);
  private static final LoadOptions OPTIONS =
      LoadOptions.builder().kernels("test.noop").kvCache("f32").maxBatchRows(8).build();
  private static final List<String> NUMBERS =
      List.of(
          "0",
          "1",
          "-1",
          "2",
          "3",
          "7",
          "31",
          "64",
          "1e300",
          "-0.5",
          "2147483647",
          "2147483648",
          "1048576",
          "4097",
          "null",
          "\"x\"",
          "true",
          "[]",
          "[1, 2]",
          "{}");
  private static final Pattern NUMBER = Pattern.compile("(?<=:)-?[0-9][0-9.eE+-]*");

  @TempDir Path folder;

  @Test
  void settingsOfFoldersMayBeAnything() throws IOException {
    SplittableRandom random = new SplittableRandom(1);
    List<TinySpec> specs = TinySpec.all();
    int ran = 0;
    for (TinySpec spec : specs) {
      Path model = TinyHuggingFaceModel.write(spec, folder.resolve(spec.name()));
      Path config = model.resolve("config.json");
      String good = Files.readString(config);
      for (int i = 0; i < FILES / specs.size(); i++) {
        Files.writeString(config, changed(good, random));
        ran += run(model, spec + " " + Files.readString(config)) ? 1 : 0;
      }
    }
    assertTrue(ran > 0 && ran < FILES, ran + " of " + FILES + " ran");
  }

  private static String changed(String json, SplittableRandom random) {
    int numbers = (int) NUMBER.matcher(json).results().count();
    int chosen = random.nextInt(numbers);
    Matcher matcher = NUMBER.matcher(json);
    for (int i = 0; i <= chosen; i++) {
      matcher.find();
    }
    String value = NUMBERS.get(random.nextInt(NUMBERS.size()));
    return json.substring(0, matcher.start()) + value + json.substring(matcher.end());
  }

  @Test
  void bytesOfMetadataMayBeAnything() throws IOException {
    SplittableRandom random = new SplittableRandom(2);
    List<TinySpec> specs = TinySpec.all();
    Path file = folder.resolve("changed.gguf");
    for (TinySpec spec : specs) {
      byte[] good = Files.readAllBytes(TinyGgufModel.write(spec, folder.resolve("good.gguf")));
      int settings = new String(good, StandardCharsets.ISO_8859_1).indexOf("tokenizer.ggml.model");
      for (int i = 0; i < FILES / specs.size(); i++) {
        byte[] bytes = good.clone();
        for (int n = random.nextInt(1, 4); n > 0; n--) {
          bytes[random.nextInt(24, settings)] = (byte) random.nextInt(256);
        }
        Files.write(file, bytes);
        run(file, spec + " " + i);
      }
    }
  }

  /** Whether the model loads and generates; fails on any exception that is not for people. */
  private static boolean run(Path path, String what) throws IOException {
    try (LanguageModel model = LanguageModel.load(path, OPTIONS);
        Session session = model.newSession()) {
      session
          .generate(
              GenerationRequest.builder()
                  .promptTokens(List.of(1, 2, 3, 4, 5, 6, 7, 8, 9))
                  .sampling(SamplingOptions.ofGreedy())
                  .maxTokens(2)
                  .build())
          .run();
      return true;
    } catch (ModelFormatException | TokenizerException | IllegalArgumentException refused) {
      assertFalse(refused.getMessage().contains("\n"), what + ": " + refused.getMessage());
      return false;
    } catch (RuntimeException e) {
      throw new AssertionError(what + ": " + e, e);
    }
  }
}
