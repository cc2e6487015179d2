package io.attention4j.llm.tokenizer;

import static io.attention4j.llm.format.ModelFormatException.quote;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.attention4j.llm.format.ModelFormatException;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.util.HashSet;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;

/**
 * Writes the vocabulary of a GGUF as the text of a Hugging Face tokenizer.json.
 *
 * @see <a href="https://huggingface.co/docs/tokenizers/components">Hugging Face tokenizers</a>
 */
final class TokenizerJson {
  private final GgufVocabulary vocabulary;
  private final JsonGenerator json;

  private TokenizerJson(GgufVocabulary vocabulary, JsonGenerator json) {
    this.vocabulary = vocabulary;
    this.json = json;
  }

  /**
   * The whole text. Its post-processor is empty: BOS and EOS are added by {@link Tokenizer}.
   *
   * @throws ModelFormatException if the merge rules are missing or malformed
   */
  static String of(GgufVocabulary vocabulary) {
    StringWriter out = new StringWriter(1 << 16);
    try (JsonGenerator json = new JsonFactory().createGenerator(out)) {
      new TokenizerJson(vocabulary, json).write();
    } catch (IOException e) {
      throw new UncheckedIOException("writing to memory", e);
    }
    return out.toString();
  }

  private void write() throws IOException {
    json.writeStartObject();
    json.writeStringField("version", "1.0");
    json.writeNullField("truncation");
    json.writeNullField("padding");
    addedTokens();
    if (vocabulary.sentencePiece()) {
      sentencePiece();
    } else {
      byteLevel();
    }
    json.writeEndObject();
  }

  private void addedTokens() throws IOException {
    Set<String> seen = new HashSet<>();
    json.writeArrayFieldStart("added_tokens");
    for (int id = 0; id < vocabulary.size(); id++) {
      if (!vocabulary.isAdded(id) || !seen.add(vocabulary.addedText(id))) {
        continue;
      }
      json.writeStartObject();
      json.writeNumberField("id", id);
      json.writeStringField("content", vocabulary.addedText(id));
      json.writeBooleanField("single_word", false);
      json.writeBooleanField("lstrip", false);
      json.writeBooleanField("rstrip", vocabulary.stripsRight(id));
      json.writeBooleanField("normalized", false);
      json.writeBooleanField("special", vocabulary.isSpecial(id));
      json.writeEndObject();
    }
    json.writeEndArray();
  }

  private void byteLevel() throws IOException {
    PreTokenizer rule = vocabulary.preTokenizer();
    json.writeNullField("normalizer");
    json.writeObjectFieldStart("pre_tokenizer");
    json.writeStringField("type", "Sequence");
    json.writeArrayFieldStart("pretokenizers");
    for (String pattern : rule.patterns()) {
      json.writeStartObject();
      json.writeStringField("type", "Split");
      json.writeObjectFieldStart("pattern");
      json.writeStringField("Regex", pattern);
      json.writeEndObject();
      json.writeStringField("behavior", "Isolated");
      json.writeBooleanField("invert", false);
      json.writeEndObject();
    }
    json.writeStartObject();
    byteLevelFields();
    json.writeEndObject();
    json.writeEndArray();
    json.writeEndObject();
    json.writeNullField("post_processor");
    json.writeObjectFieldStart("decoder");
    byteLevelFields();
    json.writeEndObject();
    modelStart(null, false, rule.ignoreMerges());
    json.writeArrayFieldStart("merges");
    String[] merges = vocabulary.merges();
    for (int i = 0; i < merges.length; i++) {
      int space = merges[i].indexOf(' ', 1);
      if (space < 0) {
        throw vocabulary.bad("merge rule " + i + " (" + quote(merges[i]) + ") is not two tokens");
      }
      merge(merges[i].substring(0, space), merges[i].substring(space + 1));
    }
    json.writeEndArray();
    json.writeEndObject();
  }

  private void byteLevelFields() throws IOException {
    json.writeStringField("type", "ByteLevel");
    json.writeBooleanField("add_prefix_space", false);
    json.writeBooleanField("trim_offsets", true);
    json.writeBooleanField("use_regex", false);
  }

  private void sentencePiece() throws IOException {
    String mark = String.valueOf(GgufVocabulary.SPACE_MARK);
    json.writeObjectFieldStart("normalizer");
    json.writeStringField("type", "Sequence");
    json.writeArrayFieldStart("normalizers");
    if (vocabulary.addsSpacePrefix()) {
      json.writeStartObject();
      json.writeStringField("type", "Prepend");
      json.writeStringField("prepend", mark);
      json.writeEndObject();
    }
    replace(" ", mark);
    json.writeEndArray();
    json.writeEndObject();
    json.writeNullField("pre_tokenizer");
    json.writeNullField("post_processor");
    json.writeObjectFieldStart("decoder");
    json.writeStringField("type", "Sequence");
    json.writeArrayFieldStart("decoders");
    replace(mark, " ");
    type("ByteFallback");
    type("Fuse");
    json.writeEndArray();
    json.writeEndObject();
    OptionalInt unknownId = vocabulary.specialId("unknown");
    String unknown = unknownId.isEmpty() ? "" : vocabulary.vocabularyKey(unknownId.getAsInt());
    modelStart(unknown.isEmpty() ? null : unknown, true, false);
    json.writeArrayFieldStart("merges");
    List<String[]> merges = SentencePieceMerges.of(vocabulary);
    for (String[] merge : merges) {
      merge(merge[0], merge[1]);
    }
    json.writeEndArray();
    json.writeEndObject();
  }

  private void replace(String from, String to) throws IOException {
    json.writeStartObject();
    json.writeStringField("type", "Replace");
    json.writeObjectFieldStart("pattern");
    json.writeStringField("String", from);
    json.writeEndObject();
    json.writeStringField("content", to);
    json.writeEndObject();
  }

  private void type(String name) throws IOException {
    json.writeStartObject();
    json.writeStringField("type", name);
    json.writeEndObject();
  }

  /** Leaves the model object open. */
  private void modelStart(String unknown, boolean byteFallback, boolean ignoreMerges)
      throws IOException {
    json.writeObjectFieldStart("model");
    json.writeStringField("type", "BPE");
    json.writeNullField("dropout");
    json.writeStringField("unk_token", unknown);
    json.writeNullField("continuing_subword_prefix");
    json.writeNullField("end_of_word_suffix");
    json.writeBooleanField("fuse_unk", byteFallback);
    json.writeBooleanField("byte_fallback", byteFallback);
    json.writeBooleanField("ignore_merges", ignoreMerges);
    json.writeObjectFieldStart("vocab");
    Set<String> seen = HashSet.newHashSet(vocabulary.size());
    for (int id = 0; id < vocabulary.size(); id++) {
      String key = vocabulary.vocabularyKey(id);
      // A file that lists a token twice means the first; an empty token can never be produced.
      if (!key.isEmpty() && seen.add(key)) {
        json.writeNumberField(key, id);
      }
    }
    json.writeEndObject();
  }

  private void merge(String left, String right) throws IOException {
    json.writeStartArray();
    json.writeString(left);
    json.writeString(right);
    json.writeEndArray();
  }
}
