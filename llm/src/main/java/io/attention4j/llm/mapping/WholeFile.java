package io.attention4j.llm.mapping;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/** Writes files that appear whole or not at all. */
public final class WholeFile {
  private WholeFile() {}

  /** Writes the content of a file. */
  @FunctionalInterface
  public interface Content {
    /** Writes all of it; the channel stands at its start. */
    void writeTo(FileChannel channel) throws IOException;
  }

  /**
   * Writes to a file beside the target, syncs it and renames it.
   *
   * @throws NoSuchFileException if the target's folder does not exist; names the folder
   * @throws IOException if writing fails, with the target, the system's reason and the remedy; the
   *     target is then as it was
   */
  public static void write(Path target, Content content) throws IOException {
    Path absolute = target.toAbsolutePath();
    try {
      replace(absolute, content);
    } catch (NoSuchFileException e) {
      throw e;
    } catch (IOException e) {
      String reason =
          e instanceof AccessDeniedException
              ? "the folder does not allow it"
              : e.getMessage() == null ? e.toString() : e.getMessage();
      throw new IOException(
          absolute
              + " cannot be written: "
              + reason
              + "; what was there is as before, free space or name another folder",
          e);
    }
  }

  private static void replace(Path absolute, Content content) throws IOException {
    Path folder = absolute.getParent();
    if (!Files.isDirectory(folder)) {
      throw new NoSuchFileException(folder.toString());
    }
    Path part =
        folder.resolve(
            absolute.getFileName() + "." + Long.toHexString(System.nanoTime()) + ".part");
    boolean renamed = false;
    try {
      try (FileChannel channel =
          FileChannel.open(part, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
        content.writeTo(channel);
        channel.force(true);
      }
      Files.move(
          part, absolute, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      renamed = true;
    } finally {
      if (!renamed) {
        Files.deleteIfExists(part);
      }
    }
    syncFolder(folder);
  }

  /** Makes the rename durable; only POSIX systems can open a folder, others need no such step. */
  private static void syncFolder(Path folder) throws IOException {
    if (folder.getFileSystem().supportedFileAttributeViews().contains("posix")) {
      try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
        channel.force(true);
      }
    }
  }
}
