package io.attention4j.llm.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.attention4j.llm.format.ModelFormatException;
import io.attention4j.llm.format.SharedFiles;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TokenizerTest {
  private static final List<String> TEXTS =
      List.of(
          "",
          " ",
          "To be, or not to be: that is the question.\n\nWhether 'tis nobler",
          "  The passkey of Mercutio is 40718.",
          "naïve café — 東京 🎉\t\r\n",
          "I'll we've DON'T it's",
          "<|begin_of_text|>word: value;<|sep|>");

  @Test
  void storiesModelStartsItsStoryWithoutASpace() throws Exception {
    Path folder = SharedFiles.require("data/models/stories260K");
    try (Tokenizer tokenizer =
        Tokenizer.fromGguf(Vocabularies.gguf(folder.resolve("stories260K.gguf")))) {
      String expected =
          Files.readString(folder.resolve("expected_greedy_200steps.txt")).stripTrailing();
      String idsText = Files.readString(folder.resolve("expected_greedy_200steps.ids.json"));
      int[] ids =
          Arrays.stream(idsText.replaceAll("[^0-9,]", "").split(","))
              .mapToInt(Integer::parseInt)
              .toArray();
      assertEquals(expected, tokenizer.decode(ids).stripTrailing());
      int[] text = Arrays.copyOfRange(ids, 1, ids.length);
      assertArrayEquals(text, tokenizer.encode(tokenizer.decode(ids)));
      assertArrayEquals(ids, tokenizer.encodeWithSpecialTokens(tokenizer.decode(ids)));
      assertArrayEquals(new int[] {1}, tokenizer.encodeWithSpecialTokens(""));
    }
  }

  @Test
  void continuationKeepsItsSpace() throws Exception {
    Path file = SharedFiles.require("data/models/stories260K/stories260K.gguf");
    try (Tokenizer tokenizer = Tokenizer.fromGguf(Vocabularies.gguf(file))) {
      int[] prompt = tokenizer.encodeWithSpecialTokens("Once");
      int[] whole = tokenizer.encode("Once upon");
      assertEquals(1, whole[0] == prompt[1] ? 1 : 0);
      IncrementalDecoder decoder = tokenizer.newDecoder(prompt);
      StringBuilder text = new StringBuilder();
      for (int i = prompt.length - 1; i < whole.length; i++) {
        text.append(decoder.accept(whole[i]));
      }
      assertEquals(" upon", text.append(decoder.finish()).toString());
    }
  }

  @Test
  void ggufAndFolderOfOneModelAgree() throws Exception {
    Path folder = SharedFiles.require("models/bard-2.5m");
    try (Tokenizer gguf =
            Tokenizer.fromGguf(Vocabularies.gguf(folder.resolve("bard-2.5m-Q8_0.gguf")));
        Tokenizer json = Tokenizer.fromFolder(folder)) {
      List<String> texts = new ArrayList<>(TEXTS);
      texts.add(Files.readString(folder.resolve("samples.txt")));
      texts.add(Files.readString(folder.resolve("README.md")));
      for (String text : texts) {
        assertArrayEquals(json.encode(text), gguf.encode(text), text);
        assertArrayEquals(
            json.encodeWithSpecialTokens(text), gguf.encodeWithSpecialTokens(text), text);
        assertEquals(json.decode(json.encode(text)), gguf.decode(gguf.encode(text)));
      }
      assertEquals(1024, gguf.vocabularySize());
      assertEquals(1024, json.vocabularySize());
      for (int id = 0; id < 1024; id++) {
        assertArrayEquals(json.pieceBytes(id), gguf.pieceBytes(id), "id " + id);
        assertEquals(json.isSpecial(id), gguf.isSpecial(id));
      }
      assertEquals(gguf.specialTokens(), json.specialTokens());
      assertEquals(OptionalInt.of(1020), gguf.specialTokens().bos());
      assertEquals(OptionalInt.of(1022), gguf.specialTokens().pad());
      assertTrue(gguf.isEndOfGeneration(1021));
      assertFalse(gguf.isEndOfGeneration(1020));
      assertEquals(OptionalInt.of(1023), gguf.tokenId("<|sep|>"));
      assertEquals("<|sep|>", gguf.piece(1023));
    }
  }

  @Test
  void loadsASentencePieceFolder() throws Exception {
    try (Tokenizer tokenizer =
        Tokenizer.fromFolder(SharedFiles.require("data/models/TinyStories-656K"))) {
      assertEquals(2048, tokenizer.vocabularySize());
      assertEquals(OptionalInt.of(1), tokenizer.specialTokens().bos());
      assertEquals(OptionalInt.of(2), tokenizer.specialTokens().eos());
      assertTrue(tokenizer.isEndOfGeneration(2));
      int[] ids = tokenizer.encodeWithSpecialTokens("Once upon a time");
      assertEquals(1, ids[0]);
      assertEquals("Once upon a time", tokenizer.decode(ids));
      // This vocabulary has no byte tokens: what it lacks is unknown, and unknown gives no text.
      assertEquals(tokenizer.specialTokens().unk().getAsInt(), tokenizer.encode("a🎉")[1]);
    }
  }

  @Test
  void encodingAfterCloseIsRefusedAndDecodingGoesOn() {
    Tokenizer tokenizer = Tokenizer.fromGguf(small());
    int[] ids = tokenizer.encode("ab");
    tokenizer.close();
    tokenizer.close();
    IllegalStateException refused =
        assertThrows(IllegalStateException.class, () -> tokenizer.encode("ab"));
    assertTrue(refused.getMessage().contains("closed"), refused.getMessage());
    assertEquals("ab", tokenizer.decode(ids));
  }

  @Test
  void loneSurrogatesSpoilNothingElse() {
    try (Tokenizer tokenizer = Tokenizer.fromGguf(bytes())) {
      assertEquals("a\uFFFD😀\uFFFDb", tokenizer.decode(tokenizer.encode("a\uD83D😀\uDE00b")));
      assertEquals("\uFFFD", tokenizer.decode(tokenizer.encode("\uD83D")));
    }
  }

  @Test
  void tokensThatAModelPadsItsOutputWithGiveNoText() {
    try (Tokenizer tokenizer = Tokenizer.fromGguf(small())) {
      assertEquals("a", tokenizer.decode(new int[] {0, 1_000_000}));
      assertThrows(IllegalArgumentException.class, () -> tokenizer.decode(new int[] {-1}));
    }
  }

  @Test
  void gemmaStyleVocabularyPutsNoSpaceBefore() {
    MapMetadata gemma =
        new MapMetadata("gemma", new HashMap<>())
            .with("tokenizer.ggml.model", "llama")
            .with("tokenizer.ggml.add_space_prefix", false)
            .with(
                "tokenizer.ggml.tokens",
                new String[] {
                  "<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>", "  ",
                  "▁▁▁", "a", "b", "▁", "ab", "▁ab", "<unused0>"
                })
            .with(
                "tokenizer.ggml.scores",
                new float[] {0, 0, 0, 0, 0, 0, 0, 0, -9, -9, -9, -1, -2, 0})
            .with("tokenizer.ggml.token_type", new int[] {3, 3, 3, 2, 3, 3, 4, 4, 1, 1, 1, 1, 1, 5})
            .with("tokenizer.ggml.bos_token_id", 2)
            .with("tokenizer.ggml.eos_token_id", 1)
            .with("tokenizer.ggml.unknown_token_id", 3);
    try (Tokenizer tokenizer = Tokenizer.fromGguf(gemma)) {
      assertArrayEquals(new int[] {11, 12}, tokenizer.encode("ab ab"));
      assertArrayEquals(new int[] {2, 11}, tokenizer.encodeWithSpecialTokens("ab"));
      assertArrayEquals(
          new int[] {4, 12, 5, 11}, tokenizer.encode("<start_of_turn> ab<end_of_turn>ab"));
      assertArrayEquals(new int[] {11, 6, 11, 7, 11}, tokenizer.encode("ab  ab   ab"));
      assertEquals("ab  ab   ab", tokenizer.decode(new int[] {11, 6, 11, 7, 11}));
      assertEquals(" ab", tokenizer.decode(new int[] {2, 12, 13, 5}));
      assertArrayEquals(new int[] {3, 8}, tokenizer.encode("xyza"));
      assertTrue(tokenizer.isEndOfGeneration(5));
      assertEquals(OptionalInt.of(5), tokenizer.specialTokens().eot());
    }
  }

  @Test
  void phi3DropsSpaceAfterSpecialTokens() {
    MapMetadata phi =
        new MapMetadata("phi", new HashMap<>())
            .with("general.architecture", "phi3")
            .with("tokenizer.ggml.model", "llama")
            .with(
                "tokenizer.ggml.tokens", new String[] {"<s>", "<|user|>", "▁", "a", "▁a", "<0x0A>"})
            .with("tokenizer.ggml.scores", new float[] {0, 0, -3, -3, -1, 0})
            .with("tokenizer.ggml.token_type", new int[] {3, 3, 1, 1, 1, 6});
    try (Tokenizer tokenizer = Tokenizer.fromGguf(phi)) {
      assertArrayEquals(new int[] {1, 4}, tokenizer.encode("<|user|>\na"));
      assertArrayEquals(new int[] {0, 2, 5, 3}, tokenizer.encode("<s>\na"));
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "default",
        "gpt-2",
        "llama-bpe",
        "dbrx",
        "qwen2",
        "qwen35",
        "smollm",
        "falcon",
        "deepseek-coder",
        "deepseek-v3",
        "tekken",
        "gpt-4o"
      })
  void everyPreTokenizerCompilesAndLosesNothing(String pre) {
    try (Tokenizer tokenizer = Tokenizer.fromGguf(bytes().with("tokenizer.ggml.pre", pre))) {
      String text = "I'll  PAY $1234.56 café, Éa 東京\r\n\n\t /* x_y */ don'T! \u0e01\u0e34 ";
      assertEquals(text, tokenizer.decode(tokenizer.encode(text)));
    }
  }

  @Test
  void badMetadataGetsOneSentence() {
    refused(small().with("tokenizer.ggml.model", null), "no tokenizer.ggml.model");
    refused(small().with("tokenizer.ggml.model", "bert"), "'bert'");
    refused(small().with("tokenizer.ggml.pre", "fancy"), "'fancy'", "llama-bpe", "qwen2");
    refused(small().with("tokenizer.ggml.tokens", null), "tokenizer.ggml.tokens is missing");
    refused(small().with("tokenizer.ggml.tokens", new String[0]), "empty");
    refused(small().with("tokenizer.ggml.merges", null), "merges is missing");
    refused(small().with("tokenizer.ggml.merges", new String[] {"ab"}), "'ab'", "not two tokens");
    refused(small().with("tokenizer.ggml.merges", new String[] {"x y"}), "refuses this vocabulary");
    refused(small().with("tokenizer.ggml.token_type", new int[2]), "2 entries for 4 tokens");
    refused(small().with("tokenizer.ggml.bos_token_id", 4L), "outside the vocabulary of 4");
    MapMetadata piece = small().with("tokenizer.ggml.model", "llama");
    refused(piece, "scores is missing");
    refused(piece.with("tokenizer.ggml.scores", new float[5]), "5 entries for 4 tokens");
    refused(
        piece.with("tokenizer.ggml.scores", new float[] {0, 0, Float.NaN, 0}), "NaN", "token 2");
  }

  @Test
  void badFoldersGetOneSentence(@TempDir Path folder) throws Exception {
    refusedFolder(folder, "no tokenizer.json");
    Path file = folder.resolve("tokenizer.json");
    Files.writeString(file, "{");
    refusedFolder(folder, "malformed");
    Files.write(file, new byte[] {(byte) 0xFF, (byte) 0xFE});
    refusedFolder(folder, "not UTF-8");
    Files.writeString(file, "{}");
    refusedFolder(folder, "decoder is 'none'");
    Files.writeString(file, "{\"decoder\":{\"type\":\"WordPiece\"}}");
    refusedFolder(folder, "'WordPiece'", "ByteLevel");
    String byteLevel = "{\"decoder\":{\"type\":\"ByteLevel\"},\"model\":";
    Files.writeString(file, byteLevel + "{\"vocab\":{\"a\":2000000000}}}");
    refusedFolder(folder, "2000000000");
    Files.writeString(file, byteLevel + "{\"vocab\":{\"a\":-1}}}");
    refusedFolder(folder, "'a'", "-1");
    Files.writeString(file, byteLevel + "{\"type\":\"Nonsense\",\"vocab\":{\"a\":0}}}");
    refusedFolder(folder, "'Nonsense'", "BPE");
    String model = byteLevel + "{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":";
    Files.writeString(file, model + "[[\"a\",\"b\"]]}}");
    refusedFolder(folder, "refuses this vocabulary");
    Files.writeString(file, model + "[],\"continuing_subword_prefix\":\"##\"}}");
    refusedFolder(folder, "continuing_subword_prefix");
    Files.writeString(file, model + "[],\"unk_token\":\"<unk>\"}}");
    refusedFolder(folder, "'<unk>' is not in the vocabulary");
    Files.writeString(
        file, model + "[]},\"pre_tokenizer\":{\"type\":\"FixedLength\",\"length\":0}}");
    refusedFolder(folder, "pre_tokenizer", "'FixedLength'", "Split");
    Files.writeString(
        file,
        model
            + "[]},\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":"
            + "[{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AAAA\"}]}}");
    refusedFolder(folder, "normalizer", "'Precompiled'");
    Files.writeString(file, model + "[]},\"normalizer\":{\"type\":\"Prepend\",\"prepend\":\"\"}}");
    refusedFolder(folder, "Prepend step of nothing");
    Files.writeString(
        file, byteLevel + "{\"type\":\"BPE\",\"vocab\":{\"\\ud83d\":0},\"merges\":[]}}");
    refusedFolder(folder, "surrogate");
    Files.writeString(
        file,
        model
            + "[]},\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":["
            + "{\"SpecialToken\":{\"id\":\"<s>\"}},{\"Sequence\":{}}]}}");
    refusedFolder(folder, "names '<s>' without giving its ids");
  }

  @Test
  void postProcessorsPutTokensAround() throws Exception {
    String template =
        """
        {"type": "Sequence", "processors": [
          {"type": "ByteLevel"},
          {"type": "TemplateProcessing",
           "single": [{"SpecialToken": {"id": "s"}}, {"Sequence": {"id": "A"}},
                      {"SpecialToken": {"id": "e"}}],
           "special_tokens": {"s": {"ids": [1, 2]}, "e": {"ids": [3]}}}]}
        """;
    ObjectMapper mapper = new ObjectMapper();
    PostProcessor found = PostProcessor.of(mapper.readTree(template), 4);
    assertArrayEquals(new int[] {1, 2}, found.prefix());
    assertArrayEquals(new int[] {3}, found.suffix());
    assertThrows(MalformedException.class, () -> PostProcessor.of(mapper.readTree(template), 3));
    String roberta = "{\"type\": \"RobertaProcessing\", \"sep\": [\"a\", 2], \"cls\": [\"b\", 0]}";
    PostProcessor around = PostProcessor.of(mapper.readTree(roberta), 3);
    assertArrayEquals(new int[] {0}, around.prefix());
    assertArrayEquals(new int[] {2}, around.suffix());
    assertEquals(0, PostProcessor.of(mapper.readTree("null"), 3).prefix().length);
  }

  @Test
  void configurationOutweighsThePostProcessor(@TempDir Path folder) throws Exception {
    Files.writeString(
        folder.resolve("tokenizer.json"),
        """
        {"added_tokens": [
           {"id": 1, "content": "<s>", "special": true, "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false},
           {"id": 2, "content": "<tool>", "special": false, "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false}],
         "decoder": {"type": "ByteLevel"},
         "model": {"type": "BPE", "vocab": {"a": 0, "<s>": 1, "<tool>": 2}, "merges": []}}
        """);
    try (Tokenizer tokenizer = Tokenizer.fromFolder(folder)) {
      assertArrayEquals(new int[] {0}, tokenizer.encodeWithSpecialTokens("a"));
    }
    Files.writeString(
        folder.resolve("tokenizer_config.json"),
        "{\"bos_token\": {\"content\": \"<s>\"}, \"eos_token\": \"<s>\", \"add_bos_token\": true}");
    Files.writeString(folder.resolve("generation_config.json"), "{\"eos_token_id\": [1, 2]}");
    try (Tokenizer tokenizer = Tokenizer.fromFolder(folder)) {
      assertArrayEquals(new int[] {1, 0}, tokenizer.encodeWithSpecialTokens("a"));
      assertTrue(tokenizer.addsBos());
      assertFalse(tokenizer.addsEos());
      assertEquals("a<tool>", tokenizer.decode(tokenizer.encode("<s>a<tool>")));
      assertTrue(tokenizer.isEndOfGeneration(2));
      assertFalse(tokenizer.isSpecial(2));
    }
  }

  @Test
  void loadsAUnigramModel(@TempDir Path folder) throws Exception {
    String json =
        """
        {"normalizer": null,
         "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always",
                           "split": true},
         "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always",
                     "split": true},
         "model": {"type": "Unigram", "unk_id": 0, "vocab": [
           ["<unk>", 0], ["▁", -3], ["a", -3], ["▁a", -2], ["b", -3], ["▁ab", -1]]}}
        """;
    Files.writeString(folder.resolve("tokenizer.json"), json);
    try (Tokenizer tokenizer = Tokenizer.fromFolder(folder)) {
      assertArrayEquals(new int[] {5, 3, 2}, tokenizer.encode("ab aa"));
      assertEquals("ab aa", tokenizer.decode(new int[] {5, 3, 2}));
    }
    Files.writeString(folder.resolve("tokenizer.json"), json.replace("\"unk_id\": 0,", ""));
    refusedFolder(folder, "no unk_id");
  }

  @Test
  void nativeLibraryThatCannotBeUnpackedGetsOneSentence(@TempDir Path folder) throws Exception {
    TokenizerException platform =
        assertThrows(TokenizerException.class, () -> NativeLibrary.unpack("plan9-mips", folder));
    assertTrue(platform.getMessage().contains("plan9-mips"), platform.getMessage());
    assertTrue(platform.getMessage().contains("linux-x86_64"), platform.getMessage());
    Path occupied = Files.createFile(folder.resolve("file"));
    TokenizerException unwritable =
        assertThrows(
            TokenizerException.class, () -> NativeLibrary.unpack("linux-x86_64", occupied));
    assertTrue(unwritable.getMessage().contains("DJL_CACHE_DIR"), unwritable.getMessage());
    assertFalse(unwritable.getMessage().contains("\n"));
    assertEquals("linux-x86_64", NativeLibrary.platform("Linux", "amd64"));
    assertEquals("osx-aarch64", NativeLibrary.platform("Mac OS X", "aarch64"));
    assertEquals("win-x86_64", NativeLibrary.platform("Windows 11", "amd64"));
  }

  @Test
  void byteAlphabetIsReversible() {
    for (int b = 0; b < 256; b++) {
      String piece = String.valueOf(ByteLevelAlphabet.charOf((byte) b));
      assertArrayEquals(new byte[] {(byte) b}, ByteLevelAlphabet.bytes(piece));
    }
    assertArrayEquals("漢".getBytes(StandardCharsets.UTF_8), ByteLevelAlphabet.bytes("漢"));
  }

  private static void refused(MapMetadata metadata, String... words) {
    check(assertThrows(ModelFormatException.class, () -> Tokenizer.fromGguf(metadata)), words);
  }

  private static void refusedFolder(Path folder, String... words) {
    check(assertThrows(ModelFormatException.class, () -> Tokenizer.fromFolder(folder)), words);
  }

  private static void check(ModelFormatException refusal, String... words) {
    for (String word : words) {
      assertTrue(refusal.getMessage().contains(word), refusal.getMessage());
    }
    assertFalse(refusal.getMessage().contains("\n"), refusal.getMessage());
  }

  private static MapMetadata small() {
    Map<String, Object> values = new HashMap<>();
    values.put("tokenizer.ggml.model", "gpt2");
    values.put("tokenizer.ggml.pre", "gpt-2");
    values.put("tokenizer.ggml.tokens", new String[] {"a", "b", "ab", "Ġ"});
    values.put("tokenizer.ggml.merges", new String[] {"a b"});
    return new MapMetadata("small.gguf", values);
  }

  /** A vocabulary of the 256 bytes. */
  private static MapMetadata bytes() {
    String[] tokens = new String[256];
    Arrays.setAll(tokens, b -> String.valueOf(ByteLevelAlphabet.charOf((byte) b)));
    return small()
        .with("tokenizer.ggml.tokens", tokens)
        .with("tokenizer.ggml.merges", new String[0]);
  }
}
