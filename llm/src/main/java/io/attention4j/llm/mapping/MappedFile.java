package io.attention4j.llm.mapping;

import io.attention4j.llm.format.ModelFormatException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Maps whole files for reading. */
public final class MappedFile {
  private static final byte[] LFS_POINTER =
      "version https://git-lfs".getBytes(StandardCharsets.US_ASCII);

  private MappedFile() {}

  /**
   * Maps a file; the arena owns the mapping.
   *
   * @throws ModelFormatException if there is no such file, or it is a Git LFS pointer instead of
   *     the model
   * @throws IOException if the system cannot open or map it
   */
  public static MemorySegment map(Path file, Arena arena) throws IOException {
    if (!Files.exists(file)) {
      throw new ModelFormatException(file, "there is no such file", "check the path");
    }
    if (!Files.isRegularFile(file)) {
      throw new ModelFormatException(file, "this is not a regular file", "name the model file");
    }
    MemorySegment bytes;
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
    }
    if (startsWith(bytes, LFS_POINTER)) {
      throw new ModelFormatException(
          file, "this is a Git LFS pointer, not the model itself", "run 'git lfs pull'");
    }
    return bytes;
  }

  private static boolean startsWith(MemorySegment bytes, byte[] prefix) {
    if (bytes.byteSize() < prefix.length) {
      return false;
    }
    for (int i = 0; i < prefix.length; i++) {
      if (bytes.get(ValueLayout.JAVA_BYTE, i) != prefix[i]) {
        return false;
      }
    }
    return true;
  }
}
