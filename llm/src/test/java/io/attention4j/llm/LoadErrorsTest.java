package io.attention4j.llm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.format.ModelFormatException;
import io.attention4j.llm.gguf.GgufFile;
import io.attention4j.llm.gguf.GgufWriter;
import io.attention4j.llm.tiny.TinyGgufModel;
import io.attention4j.llm.tiny.TinySpec;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files and options that cannot be loaded get one sentence. */
class LoadErrorsTest {
  private static final LoadOptions OPTIONS = LoadOptions.builder().kernels("reference").build();

  @TempDir Path folder;

  private Path good() throws IOException {
    return TinyGgufModel.write(TinySpec.of("llama"), folder.resolve("good.gguf"));
  }

  /** The good file, some tensors left out, and changed further. */
  private Path changed(Predicate<String> keep, GgufWriter writer) throws IOException {
    Path file = folder.resolve("changed.gguf");
    try (GgufFile good = GgufFile.open(good())) {
      for (String name : good.names()) {
        if (keep.test(name)) {
          writer.tensor(name, good.tensor(name));
        }
      }
      writer.write(file);
    }
    return file;
  }

  private static void assertRefused(Path file, String... parts) {
    ModelFormatException refused =
        assertThrows(ModelFormatException.class, () -> LanguageModel.load(file, OPTIONS));
    for (String part : parts) {
      assertTrue(refused.getMessage().contains(part), refused.getMessage());
    }
  }

  private static GgufWriter settings() {
    return TinyGgufModel.settings(TinySpec.of("llama"));
  }

  @Test
  void anUnknownArchitectureIsNamedWithTheKnownOnes() throws IOException {
    Path file = folder.resolve("mamba.gguf");
    new GgufWriter().string("general.architecture", "mamba").write(file);
    assertRefused(file, "'mamba'", "gemma3", "gpt2", "llama", "qwen2");
    Path model = Files.createDirectory(folder.resolve("rwkv"));
    Files.writeString(model.resolve("config.json"), "{\"model_type\": \"rwkv\"}");
    Files.write(model.resolve("model.safetensors"), new byte[] {2, 0, 0, 0, 0, 0, 0, 0, '{', '}'});
    assertRefused(model, "'rwkv'", "gemma3_text", "mistral");
  }

  @Test
  void aMissingTensorIsNamed() throws IOException {
    assertRefused(
        changed(name -> !name.equals("blk.1.ffn_down.weight"), settings()),
        "'blk.1.ffn_down.weight'",
        "missing");
    assertRefused(
        changed(name -> !name.equals("token_embd.weight"), settings()), "'token_embd.weight'");
  }

  @Test
  void aTensorOfAnotherShapeIsNamed() throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      GgufWriter writer =
          settings().tensor("blk.0.attn_norm.weight", Tensor.allocate(arena, DType.F32, 31));
      assertRefused(
          changed(name -> !name.equals("blk.0.attn_norm.weight"), writer),
          "'blk.0.attn_norm.weight'",
          "[31]",
          "[32]");
    }
  }

  @Test
  void weightsThatNobodyWouldUseAreRefused() throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      GgufWriter writer =
          settings().tensor("blk.1.attn_q_norm.weight", Tensor.allocate(arena, DType.F32, 8));
      assertRefused(changed(name -> true, writer), "'blk.1.attn_q_norm.weight'", "no part of");
    }
  }

  @Test
  void experts() throws IOException {
    assertRefused(changed(name -> true, settings().uint32("llama.expert_count", 8)), "8 experts");
  }

  @Test
  void aMissingFileAndAnEmptyFolder() throws IOException {
    assertRefused(folder.resolve("absent.gguf"), "no such file");
    assertRefused(Files.createDirectory(folder.resolve("empty")), "config.json");
  }

  @Test
  void unknownNamesInOptionsAreListedWithTheKnownOnes() throws IOException {
    Path file = good();
    assertOption(file, LoadOptions.builder().kernels("magic"), "magic", "reference");
    assertOption(
        file, LoadOptions.builder().kernels("reference").attention("magic"), "magic", "softmax");
    assertOption(
        file, LoadOptions.builder().kernels("reference").kvCache("magic+f16"), "magic", "paged");
    assertOption(
        file,
        LoadOptions.builder().kernels("reference").attention("0=softmax"),
        "does not cover layer 1");
  }

  @Test
  void anOperatorOnAModelThatLacksWhatItNeedsIsRefused() throws IOException {
    LoadOptions.Builder options = LoadOptions.builder().kernels("reference");
    assertOption(
        good(),
        options.attention("0=softmax,1=test.record:weights=attn_gate.weight"),
        "'test.record'",
        "'attn_gate.weight' in layer 1");
    assertOption(good(), options.attention("test.record:extras=decay"), "[decay]");
    try (Arena arena = Arena.ofConfined()) {
      GgufWriter writer =
          settings().tensor("blk.1.attn_gate.weight", Tensor.allocate(arena, DType.F32, 8));
      Path file = changed(name -> true, writer);
      assertRefused(file, "'blk.1.attn_gate.weight'", "no part of");
      LanguageModel.load(
              file, options.attention("0=softmax,1=test.record:weights=attn_gate.weight").build())
          .close();
    }
  }

  private static void assertOption(Path file, LoadOptions.Builder options, String... parts) {
    IllegalArgumentException refused =
        assertThrows(
            IllegalArgumentException.class, () -> LanguageModel.load(file, options.build()));
    for (String part : parts) {
      assertTrue(refused.getMessage().contains(part), refused.getMessage());
    }
  }

  @Test
  void anEstimateCountsWeightsCacheAndScratch() throws IOException {
    LoadOptions options =
        LoadOptions.builder().kernels("reference").kvCache("f32").contextTokens(64).build();
    MemoryEstimate estimate = LanguageModel.estimate(good(), options);
    long perToken = 2L * TinySpec.KV_HEADS * 2 * 8 * Float.BYTES; // layers, heads, k and v
    assertEquals(64 * perToken, estimate.kvCacheBytes());
    try (GgufFile file = GgufFile.open(good())) {
      long weights = file.names().stream().mapToLong(n -> file.tensor(n).byteSize()).sum();
      assertEquals(weights, estimate.weightBytes());
    }
    assertTrue(estimate.scratchBytes() > 64 * 4 * TinySpec.DIM * Float.BYTES);
  }

  @Test
  void aContextLargerThanMemoryIsRefusedBeforeLoading() throws IOException {
    MemoryEstimate estimate = new MemoryEstimate(0, 0, 1L << 40, 0, 1 << 20, 1 << 20);
    IllegalArgumentException refused =
        assertThrows(
            IllegalArgumentException.class, () -> MemoryBudget.require(estimate, 1L << 30));
    assertTrue(refused.getMessage().contains("1024.00 GiB"), refused.getMessage());
    assertTrue(refused.getMessage().contains("at most 1023 tokens"), refused.getMessage());
    assertTrue(MemoryBudget.availableBytes() > 0);
    Path gpt2 = TinyGgufModel.write(TinySpec.of("gpt2"), folder.resolve("gpt2.gguf"));
    assertOption(
        gpt2, LoadOptions.builder().kernels("reference").contextTokens(65), "64 positions");
  }
}
