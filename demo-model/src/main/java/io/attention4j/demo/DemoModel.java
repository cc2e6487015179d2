package io.attention4j.demo;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.zip.CRC32;

/**
 * The model that this project ships: bard-2.5m, a Llama of 2.56 million parameters with a context
 * of 1024 tokens, trained from scratch on public-domain text (CC0). It writes Shakespeare and
 * Austen pastiche and retrieves passkeys from its context.
 */
public final class DemoModel {
  /** Name of the model. */
  public static final String NAME = "bard-2.5m";

  /** A prompt that shows the model well with {@link #TEMPERATURE}; greedy decoding loops. */
  public static final String PROMPT = "ROMEO:\n";

  /** A sampling temperature that suits the model. */
  public static final float TEMPERATURE = 0.8f;

  /** Property that names the folder where {@link #file} puts the model. */
  public static final String CACHE_PROPERTY = "attention4j.cache";

  private static final String RESOURCE = "bard-2.5m-Q8_0.gguf";
  private static final int SIZE_BYTES = 2_755_808;

  /** Finds damage in a millisecond; a cryptographic hash would cost a tenth of a second a start. */
  private static final long CRC_32 = 0x1ac363bfL;

  private DemoModel() {}

  /**
   * The model as a GGUF file, which a model reader can map. It is copied out of this artifact once,
   * into the folder of {@link #CACHE_PROPERTY}, else {@code $XDG_CACHE_HOME/attention4j}, else
   * {@code ~/.cache/attention4j}, else (where those cannot be written) the folder for temporary
   * files. A copy that is damaged is replaced. Safe from many threads and processes.
   *
   * @throws UncheckedIOException if no folder can be written; names the last one
   */
  public static Path file() {
    String chosen = System.getProperty(CACHE_PROPERTY);
    if (chosen != null) {
      return copy(Path.of(chosen));
    }
    String xdg = System.getenv("XDG_CACHE_HOME");
    Path caches =
        xdg == null || xdg.isBlank()
            ? Path.of(System.getProperty("user.home"), ".cache")
            : Path.of(xdg);
    Path cache = caches.resolve("attention4j");
    Path fallback = Path.of(System.getProperty("java.io.tmpdir"), "attention4j");
    return canWrite(cache) || isWhole(cache.resolve(RESOURCE)) ? copy(cache) : copy(fallback);
  }

  private static boolean canWrite(Path folder) {
    try {
      return Files.isWritable(Files.createDirectories(folder));
    } catch (IOException e) {
      return false; // the answer is what was asked for
    }
  }

  private static Path copy(Path folder) {
    Path file = folder.resolve(RESOURCE);
    if (isWhole(file)) {
      return file;
    }
    try {
      Files.createDirectories(folder);
      Path part = Files.createTempFile(folder, RESOURCE, ".part");
      try {
        try (InputStream model = DemoModel.class.getResourceAsStream(RESOURCE)) {
          Files.copy(model, part, StandardCopyOption.REPLACE_EXISTING);
        }
        try (FileChannel channel = FileChannel.open(part, StandardOpenOption.WRITE)) {
          channel.force(true);
        }
        Files.move(part, file, StandardCopyOption.ATOMIC_MOVE);
      } finally {
        Files.deleteIfExists(part);
      }
      return file;
    } catch (IOException e) {
      throw new UncheckedIOException(
          "cannot copy the demo model to "
              + folder
              + "; set -D"
              + CACHE_PROPERTY
              + "=FOLDER to one that can be written",
          e);
    }
  }

  private static boolean isWhole(Path file) {
    try {
      if (!Files.isRegularFile(file) || Files.size(file) != SIZE_BYTES) {
        return false;
      }
      CRC32 checksum = new CRC32();
      checksum.update(Files.readAllBytes(file));
      return checksum.getValue() == CRC_32;
    } catch (IOException e) {
      return false; // unreadable is not whole; copying then says why
    }
  }
}
