package io.attention4j.benchmarks.decode;

import io.attention4j.benchmarks.kernel.RandomWeights;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Shape;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.gguf.GgufWriter;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/**
 * GGUF files of architecture llama with random weights and a made-up byte-level vocabulary, which
 * our engine and llama.cpp both load: as fast as trained ones of the same shape.
 */
final class SyntheticLlama {
  /**
   * Sizes of a model; the output matrix is the embedding.
   *
   * @param modelDim elements of a hidden state
   * @param feedForwardDim elements between the up and down projections
   */
  record Sizes(
      int modelDim,
      int layers,
      int queryHeads,
      int kvHeads,
      int feedForwardDim,
      int vocabulary,
      int contextTokens) {
    /** Of Llama-3.2-1B, with a context of 32768. */
    static final Sizes LLAMA_3_2_1B = new Sizes(2048, 16, 32, 8, 8192, 128_256, 32_768);
  }

  private static final long SEED = 42;
  private static final int CHUNK_BLOCKS = 1 << 12;
  private static final int BYTE_TOKENS = 256;
  private static final int SPECIAL_TOKENS = 256;
  private static final int NORMAL = 1;
  private static final int CONTROL = 3;
  private static final String LETTERS =
      "etaoinshrdlcumwfgypbvkjxqzETAOINSHRDLCUMWFGYPBVKJXQZ0123456789";

  private SyntheticLlama() {}

  /**
   * Writes a model whose matrices are all of one type.
   *
   * @throws IllegalArgumentException if the vocabulary is too small or too large to be made up, or
   *     rows do not fill whole blocks
   */
  static void write(Path target, Sizes sizes, DType dtype) throws IOException {
    GgufWriter writer = new GgufWriter();
    addSettings(writer, sizes, dtype);
    addVocabulary(writer, sizes.vocabulary());
    addWeights(writer, sizes, dtype);
    writer.write(target);
  }

  private static void addSettings(GgufWriter writer, Sizes sizes, DType dtype) {
    writer
        .string("general.architecture", "llama")
        .string("general.name", "Random llama " + dtype)
        .uint32("general.quantization_version", 2)
        .uint32("llama.context_length", sizes.contextTokens())
        .uint32("llama.embedding_length", sizes.modelDim())
        .uint32("llama.block_count", sizes.layers())
        .uint32("llama.feed_forward_length", sizes.feedForwardDim())
        .uint32("llama.attention.head_count", sizes.queryHeads())
        .uint32("llama.attention.head_count_kv", sizes.kvHeads())
        .float32("llama.attention.layer_norm_rms_epsilon", 1e-5f)
        .uint32("llama.rope.dimension_count", sizes.modelDim() / sizes.queryHeads())
        .float32("llama.rope.freq_base", 500_000)
        .uint32("llama.vocab_size", sizes.vocabulary());
  }

  /** Bytes, then strings of two letters (each with a merge) and of three, then special tokens. */
  private static void addVocabulary(GgufWriter writer, int size) {
    int letters = LETTERS.length();
    int plain = size - SPECIAL_TOKENS;
    int most = BYTE_TOKENS + letters * letters + letters * letters * letters;
    if (plain < BYTE_TOKENS || plain > most) {
      throw new IllegalArgumentException(
          "a vocabulary of "
              + size
              + " tokens cannot be made up; it must be "
              + (BYTE_TOKENS + SPECIAL_TOKENS)
              + " to "
              + (most + SPECIAL_TOKENS));
    }
    Set<String> tokens = new LinkedHashSet<>(byteTokens());
    List<String> merges = new ArrayList<>();
    for (int i = 0; tokens.size() < plain && i < letters * letters; i++) {
      String left = letter(i / letters);
      String right = letter(i % letters);
      tokens.add(left + right);
      merges.add(left + " " + right);
    }
    for (int i = 0; tokens.size() < plain; i++) {
      tokens.add(letter(i / letters / letters) + letter(i / letters) + letter(i));
    }
    List<String> all = new ArrayList<>(tokens);
    all.add("<|begin_of_text|>");
    all.add("<|end_of_text|>");
    for (int i = 2; i < SPECIAL_TOKENS; i++) {
      all.add("<|reserved_special_token_" + i + "|>");
    }
    writer
        .string("tokenizer.ggml.model", "gpt2")
        .string("tokenizer.ggml.pre", "llama-bpe")
        .strings("tokenizer.ggml.tokens", all)
        .int32s(
            "tokenizer.ggml.token_type",
            IntStream.range(0, size).map(i -> i < plain ? NORMAL : CONTROL).toArray())
        .strings("tokenizer.ggml.merges", merges)
        .uint32("tokenizer.ggml.bos_token_id", plain)
        .uint32("tokenizer.ggml.eos_token_id", plain + 1)
        .bool("tokenizer.ggml.add_bos_token", true);
  }

  private static String letter(int index) {
    return String.valueOf(LETTERS.charAt(index % LETTERS.length()));
  }

  /** GPT-2's printable stand-ins for the 256 bytes. */
  private static List<String> byteTokens() {
    List<String> tokens = new ArrayList<>();
    char next = 0x100;
    for (int b = 0; b < BYTE_TOKENS; b++) {
      boolean printable = b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE;
      tokens.add(String.valueOf(printable ? (char) b : next++));
    }
    return tokens;
  }

  private static void addWeights(GgufWriter writer, Sizes sizes, DType dtype) {
    int dim = sizes.modelDim();
    int inner = sizes.feedForwardDim();
    int kvDim = dim / sizes.queryHeads() * sizes.kvHeads();
    addMatrix(writer, "token_embd", dtype, sizes.vocabulary(), dim);
    addOnes(writer, "output_norm", dim);
    for (int layer = 0; layer < sizes.layers(); layer++) {
      String block = "blk." + layer + ".";
      addOnes(writer, block + "attn_norm", dim);
      addMatrix(writer, block + "attn_q", dtype, dim, dim);
      addMatrix(writer, block + "attn_k", dtype, kvDim, dim);
      addMatrix(writer, block + "attn_v", dtype, kvDim, dim);
      addMatrix(writer, block + "attn_output", dtype, dim, dim);
      addOnes(writer, block + "ffn_norm", dim);
      addMatrix(writer, block + "ffn_gate", dtype, inner, dim);
      addMatrix(writer, block + "ffn_up", dtype, inner, dim);
      addMatrix(writer, block + "ffn_down", dtype, dim, inner);
    }
  }

  private static void addMatrix(GgufWriter writer, String name, DType dtype, int out, int in) {
    SplittableRandom random = new SplittableRandom(SEED ^ name.hashCode());
    long blocks = (long) out * in / dtype.blockSize();
    writer.tensor(
        name + ".weight",
        dtype,
        Shape.of(out, in),
        sink -> {
          try (Arena arena = Arena.ofConfined()) {
            MemorySegment chunk = arena.allocate((long) CHUNK_BLOCKS * dtype.blockBytes());
            for (long done = 0; done < blocks; done += CHUNK_BLOCKS) {
              long count = Math.min(CHUNK_BLOCKS, blocks - done);
              MemorySegment part = chunk.asSlice(0, count * dtype.blockBytes());
              RandomWeights.fill(part, dtype, 1 / Math.sqrt(in), random);
              sink.accept(part);
            }
          }
        });
  }

  private static void addOnes(GgufWriter writer, String name, int size) {
    writer.tensor(
        name + ".weight",
        DType.F32,
        Shape.of(size),
        sink -> {
          float[] ones = new float[size];
          Arrays.fill(ones, 1);
          try (Arena arena = Arena.ofConfined()) {
            sink.accept(arena.allocateFrom(Tensor.FLOAT, ones));
          }
        });
  }
}
