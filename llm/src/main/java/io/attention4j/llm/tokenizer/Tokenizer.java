package io.attention4j.llm.tokenizer;

import io.attention4j.llm.format.ModelFormatException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashSet;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.Set;

/**
 * Text to token ids and back, by the rules of one model file.
 *
 * <p>Encoding runs in the native Hugging Face library of DJL; nothing is downloaded or reported.
 * Special and user-defined tokens that a text spells out, such as {@code <|im_end|>}, become their
 * ids, as chat templates need; text from outside that must not have this effect has to be checked
 * by its caller. Text is not changed before encoding beyond what the file asks for; a lone
 * surrogate counts as U+FFFD.
 *
 * <p>All methods are safe for several threads. After {@link #close} encoding throws {@link
 * IllegalStateException}; decoding and the accessors go on working.
 */
public final class Tokenizer implements AutoCloseable {
  private final Encoder encoder;
  private final Vocabulary vocabulary;
  private final SpecialTokens specialTokens;
  private final int[] prefix;
  private final int[] suffix;

  private Tokenizer(
      Encoder encoder,
      Vocabulary vocabulary,
      SpecialTokens specialTokens,
      int[] prefix,
      int[] suffix) {
    this.encoder = encoder;
    this.vocabulary = vocabulary;
    this.specialTokens = specialTokens;
    this.prefix = prefix;
    this.suffix = suffix;
  }

  /**
   * The tokenizer inside a GGUF file: {@code tokenizer.ggml.model} {@code gpt2} (byte-level BPE),
   * {@code llama} (SentencePiece BPE) or {@code rwkv} (longest match).
   *
   * @throws ModelFormatException if the metadata holds no usable vocabulary
   * @throws TokenizerException if the native library cannot run here
   */
  public static Tokenizer fromGguf(TokenizerMetadata metadata) {
    GgufVocabulary file = new GgufVocabulary(metadata);
    Vocabulary vocabulary = file.vocabulary();
    OptionalInt bos = file.specialId("bos");
    OptionalInt eos = file.specialId("eos");
    SpecialTokens special =
        specialTokens(
            vocabulary,
            bos,
            eos,
            file.specialId("eot"),
            file.specialId("eom"),
            file.specialId("unknown"),
            file.specialId("padding"),
            Set.of());
    int[] prefix = file.addsBos() ? ids(bos) : new int[0];
    int[] suffix = file.addsEos() ? ids(eos) : new int[0];
    return new Tokenizer(
        file.longestMatch()
            ? new LongestMatch(file.textPieces(), file.file())
            : new NativeTokenizer(TokenizerJson.of(file), file.file()),
        vocabulary,
        special,
        prefix,
        suffix);
  }

  /**
   * One token per byte of UTF-8, without special tokens.
   *
   * @param file the model, for messages
   */
  public static Tokenizer ofBytes(Path file) {
    byte[][] pieces = new byte[256][];
    for (int value = 0; value < pieces.length; value++) {
      pieces[value] = new byte[] {(byte) value};
    }
    Vocabulary vocabulary = new Vocabulary(pieces, new BitSet(), Map.of(), false);
    OptionalInt none = OptionalInt.empty();
    return new Tokenizer(
        new LongestMatch(pieces, file),
        vocabulary,
        new SpecialTokens(none, none, none, none, none, none, Set.of()),
        new int[0],
        new int[0]);
  }

  /**
   * The tokenizer of a Hugging Face folder: its {@code tokenizer.json}, with the roles that {@code
   * tokenizer_config.json}, {@code special_tokens_map.json} and {@code generation_config.json}
   * name.
   *
   * @throws IOException if a file cannot be read
   * @throws ModelFormatException if tokenizer.json is missing or unusable
   * @throws TokenizerException if the native library cannot run here
   */
  public static Tokenizer fromFolder(Path folder) throws IOException {
    HuggingFaceFiles files = new HuggingFaceFiles(folder);
    Vocabulary vocabulary = files.vocabulary();
    OptionalInt bos = files.role("bos_token");
    OptionalInt eos = files.role("eos_token");
    SpecialTokens special =
        specialTokens(
            vocabulary,
            bos,
            eos,
            OptionalInt.empty(),
            OptionalInt.empty(),
            files.role("unk_token"),
            files.role("pad_token"),
            files.endIds());
    PostProcessor around = files.postProcessor(vocabulary.size());
    return new Tokenizer(
        new NativeTokenizer(files.json(), files.file()),
        vocabulary,
        special,
        ruled(around.prefix(), bos, files.flag("add_bos_token").orElse(null)),
        ruled(around.suffix(), eos, files.flag("add_eos_token").orElse(null)));
  }

  /** An explicit flag of tokenizer_config.json outweighs the post-processor. */
  private static int[] ruled(int[] found, OptionalInt token, Boolean flag) {
    if (flag == null || token.isEmpty()) {
      return found;
    }
    int[] wanted = ids(token);
    if (flag) {
      return found.length == 0 ? wanted : found;
    }
    return Arrays.equals(found, wanted) ? new int[0] : found;
  }

  private static int[] ids(OptionalInt id) {
    return id.isPresent() ? new int[] {id.getAsInt()} : new int[0];
  }

  private static SpecialTokens specialTokens(
      Vocabulary vocabulary,
      OptionalInt bos,
      OptionalInt eos,
      OptionalInt eot,
      OptionalInt eom,
      OptionalInt unk,
      OptionalInt pad,
      Set<Integer> moreEnds) {
    OptionalInt turn = eot.isPresent() ? eot : TurnEnds.turn(vocabulary);
    OptionalInt message = eom.isPresent() ? eom : TurnEnds.message(vocabulary);
    Set<Integer> ends = new HashSet<>(moreEnds);
    ends.addAll(TurnEnds.all(vocabulary));
    eos.ifPresent(ends::add);
    eot.ifPresent(ends::add);
    message.ifPresent(ends::add);
    return new SpecialTokens(bos, eos, turn, message, unk, pad, ends);
  }

  /**
   * The ids of a text, without BOS or EOS; none for an empty text.
   *
   * @throws IllegalStateException after {@link #close}
   */
  public int[] encode(String text) {
    return encoder.encode(Objects.requireNonNull(text, "text"));
  }

  /**
   * The ids of a text with BOS before and EOS after it where the file asks for them, even if the
   * text spells BOS out itself. An empty text gives BOS alone.
   *
   * @throws IllegalStateException after {@link #close}
   */
  public int[] encodeWithSpecialTokens(String text) {
    int[] ids = encode(text);
    int[] all = new int[prefix.length + ids.length + suffix.length];
    System.arraycopy(prefix, 0, all, 0, prefix.length);
    System.arraycopy(ids, 0, all, prefix.length, ids.length);
    System.arraycopy(suffix, 0, all, prefix.length + ids.length, suffix.length);
    return all;
  }

  /** Whether {@link #encodeWithSpecialTokens} puts anything before a text. */
  public boolean addsBos() {
    return prefix.length > 0;
  }

  /** Whether {@link #encodeWithSpecialTokens} puts anything after a text. */
  public boolean addsEos() {
    return suffix.length > 0;
  }

  /**
   * The text of a whole sequence. Special tokens give no text; bytes that are no UTF-8 give U+FFFD;
   * a SentencePiece vocabulary drops the one space that it puts before every text.
   *
   * @throws IllegalArgumentException if an id is negative
   */
  public String decode(int[] ids) {
    return newDecoder().decode(ids);
  }

  /** A decoder for a sequence that starts a text. */
  public IncrementalDecoder newDecoder() {
    return new IncrementalDecoder(vocabulary);
  }

  /**
   * A decoder for the continuation of a context, such as what a model writes after a prompt: the
   * space before its first word stays, and a character that the context left incomplete is
   * completed.
   *
   * @param context ids before the continuation; their text is not given out again
   */
  public IncrementalDecoder newDecoder(int[] context) {
    IncrementalDecoder decoder = newDecoder();
    decoder.skip(context);
    return decoder;
  }

  /** Number of ids, unused ones included. A model's output layer may be padded beyond it. */
  public int vocabularySize() {
    return vocabulary.size();
  }

  /** The ids that have a role. */
  public SpecialTokens specialTokens() {
    return specialTokens;
  }

  /** Whether an id stands for no text. */
  public boolean isSpecial(int id) {
    return id >= 0 && vocabulary.special().get(id);
  }

  /** Whether generation stops after this id. */
  public boolean isEndOfGeneration(int id) {
    return specialTokens.endOfGeneration().contains(id);
  }

  /**
   * The UTF-8 bytes of one token, possibly a part of a character; for a special token its name; a
   * copy.
   *
   * @throws IllegalArgumentException if {@code id} is negative
   */
  public byte[] pieceBytes(int id) {
    return vocabulary.piece(id).clone();
  }

  /** One token for people to read: its text, or the name of a special one. */
  public String piece(int id) {
    return new String(vocabulary.piece(id), StandardCharsets.UTF_8);
  }

  /** The id of a special or user-defined token by its text, such as {@code <|im_end|>}. */
  public OptionalInt tokenId(String text) {
    Integer id = vocabulary.addedTokens().get(text);
    return id == null ? OptionalInt.empty() : OptionalInt.of(id);
  }

  /** Frees the native tokenizer, after encodings in progress are done. */
  @Override
  public void close() {
    encoder.close();
  }
}
