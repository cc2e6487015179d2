package io.attention4j.llm.loading;

import static io.attention4j.llm.format.ModelFormatException.quote;

import io.attention4j.llm.architecture.Architecture;
import io.attention4j.llm.architecture.Architectures;
import io.attention4j.llm.architecture.Settings;
import io.attention4j.llm.architecture.Weight;
import io.attention4j.llm.architecture.WeightNames;
import io.attention4j.llm.format.ModelFormatException;
import io.attention4j.llm.format.TensorSource;
import io.attention4j.llm.gguf.GgufFile;
import io.attention4j.llm.gguf.GgufMetadata;
import io.attention4j.llm.rwkv.RwkvFile;
import io.attention4j.llm.safetensors.HuggingFaceFolder;
import io.attention4j.llm.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * An opened model: GGUF file (or split), Hugging Face folder or file of rwkv.cpp. Owns the
 * mappings.
 */
public final class ModelFiles implements AutoCloseable {
  /** Makes the tokenizer on demand: it costs more than all else here. */
  @FunctionalInterface
  private interface TokenizerSource {
    Tokenizer open() throws IOException;
  }

  // Buffers that old exporters wrote although no weight is in them.
  private static final Pattern NO_WEIGHT =
      Pattern.compile(".*(\\.rotary_emb\\.inv_freq|\\.attn\\.bias|\\.attn\\.masked_bias)");

  private final Path path;
  private final TensorSource tensors;
  private final Architecture architecture;
  private final TensorNames names;
  private final Settings settings;
  private final String modelName;
  private final Optional<String> chatTemplate;
  private final TokenizerSource tokenizer;

  private ModelFiles(
      Path path,
      TensorSource tensors,
      Architecture architecture,
      TensorNames names,
      Settings settings,
      String modelName,
      Optional<String> chatTemplate,
      TokenizerSource tokenizer) {
    this.path = path;
    this.tensors = tensors;
    this.architecture = architecture;
    this.names = names;
    this.settings = settings;
    this.modelName = modelName;
    this.chatTemplate = chatTemplate;
    this.tokenizer = tokenizer;
  }

  /**
   * Opens a model.
   *
   * @throws ModelFormatException if there is none at the path, it is bad, or its architecture is
   *     unknown; nothing stays mapped
   * @throws IOException if the system cannot read a file
   */
  public static ModelFiles open(Path path) throws IOException {
    if (Files.isDirectory(path)) {
      return openFolder(HuggingFaceFolder.open(path));
    }
    return RwkvFile.isOne(path)
        ? openRwkv(RwkvFile.open(path))
        : openGguf(path, GgufFile.open(path));
  }

  /**
   * The tokenizer of a model whose weights and architecture do not matter; the caller closes it.
   *
   * @throws ModelFormatException as {@link #open}
   */
  public static Tokenizer openTokenizer(Path path) throws IOException {
    if (Files.isDirectory(path)) {
      return Tokenizer.fromFolder(path);
    }
    if (RwkvFile.isOne(path)) {
      try (RwkvFile file = RwkvFile.open(path)) {
        return rwkvTokenizer(file);
      }
    }
    try (GgufFile file = GgufFile.open(path)) {
      return Tokenizer.fromGguf(new GgufTokenizerMetadata(path, file.metadata()));
    }
  }

  private static ModelFiles openRwkv(RwkvFile file) {
    boolean opened = false;
    try {
      Path path = file.path();
      Architecture architecture = architecture(path, Settings.Format.GGUF, "rwkv7");
      TensorNames names =
          TensorNames.resolve(path, file, architecture.names(Settings.Format.GGUF), false);
      ModelFiles files =
          new ModelFiles(
              path,
              file,
              architecture,
              names,
              new RwkvSettings(file),
              path.getFileName().toString(),
              Optional.empty(),
              () -> rwkvTokenizer(file));
      opened = true;
      return files;
    } finally {
      if (!opened) {
        file.close();
      }
    }
  }

  private static Tokenizer rwkvTokenizer(RwkvFile file) {
    if (file.vocabulary() != 256) {
      throw new ModelFormatException(
          file.path(),
          "the file has "
              + file.vocabulary()
              + " tokens but, as all files of rwkv.cpp, no texts of them, and only vocabularies of"
              + " 256 are known to be bytes",
          "use a GGUF file of the model");
    }
    return Tokenizer.ofBytes(file.path());
  }

  private static ModelFiles openGguf(Path path, GgufFile file) {
    boolean opened = false;
    try {
      GgufMetadata metadata = file.metadata();
      Architecture architecture =
          architecture(path, Settings.Format.GGUF, metadata.string("general.architecture"));
      WeightNames weightNames = architecture.names(Settings.Format.GGUF);
      TensorNames names = TensorNames.resolve(path, file, weightNames, false);
      ModelFiles files =
          new ModelFiles(
              path,
              file,
              architecture,
              names,
              new GgufSettings(path, metadata, architecture.id(), file, names.vocabularySize()),
              metadata.string("general.name", path.getFileName().toString()),
              metadata.contains("tokenizer.chat_template")
                  ? Optional.of(metadata.string("tokenizer.chat_template"))
                  : Optional.empty(),
              () -> Tokenizer.fromGguf(new GgufTokenizerMetadata(path, metadata)));
      opened = true;
      return files;
    } finally {
      if (!opened) {
        file.close();
      }
    }
  }

  private static ModelFiles openFolder(HuggingFaceFolder folder) throws IOException {
    boolean opened = false;
    try {
      Path path = folder.path();
      JsonSettings outer = new JsonSettings(path, folder.config(), 0);
      Architecture architecture =
          architecture(path, Settings.Format.HUGGING_FACE, outer.modelType());
      WeightNames weightNames = architecture.names(Settings.Format.HUGGING_FACE);
      boolean tied = folder.config().path("tie_word_embeddings").asBoolean(false);
      TensorNames names = TensorNames.resolve(path, folder.weights(), weightNames, tied);
      ModelFiles files =
          new ModelFiles(
              path,
              folder.weights(),
              architecture,
              names,
              new JsonSettings(path, folder.config(), names.vocabularySize()),
              path.toAbsolutePath().normalize().getFileName().toString(),
              JsonSettings.chatTemplate(path),
              () -> Tokenizer.fromFolder(path));
      opened = true;
      return files;
    } finally {
      if (!opened) {
        folder.close();
      }
    }
  }

  private static Architecture architecture(Path path, Settings.Format format, String name) {
    return Architectures.find(format, name)
        .orElseThrow(
            () ->
                new ModelFormatException(
                    path,
                    "the architecture "
                        + quote(name)
                        + " is unknown; known are "
                        + String.join(", ", Architectures.names(format)),
                    "use a model of one of these"));
  }

  /** The file or folder. */
  public Path path() {
    return path;
  }

  /** Its weights. */
  public TensorSource tensors() {
    return tensors;
  }

  /** Names of its weights, without buffers that stand among them in some files. */
  public List<String> weightNames() {
    return tensors.names().stream().filter(name -> !NO_WEIGHT.matcher(name).matches()).toList();
  }

  /** What the names of a layer's weights begin with: "blk.3." or "model.layers.3.". */
  public String layerPrefix(int layer) {
    String name = names.name(Weight.ATTENTION_NORM, layer);
    String marker = "." + layer + ".";
    return name.substring(0, name.lastIndexOf(marker) + marker.length());
  }

  /** Its architecture. */
  public Architecture architecture() {
    return architecture;
  }

  /** Where each weight is. */
  public TensorNames names() {
    return names;
  }

  /** Its settings. */
  public Settings settings() {
    return settings;
  }

  /** A name for people. */
  public String modelName() {
    return modelName;
  }

  /** The chat template of the file, Jinja source. */
  public Optional<String> chatTemplate() {
    return chatTemplate;
  }

  /** A new tokenizer; the caller closes it. */
  public Tokenizer openTokenizer() throws IOException {
    return tokenizer.open();
  }

  @Override
  public void close() {
    tensors.close();
  }
}
