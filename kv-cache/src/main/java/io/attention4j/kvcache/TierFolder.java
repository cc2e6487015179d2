package io.attention4j.kvcache;

import io.attention4j.engine.operator.OptionSpec;
import io.attention4j.engine.runtime.KernelSelector;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A folder for the files of caches. A file loses its name as soon as it is open, so that the system
 * frees it when the process ends, however it ends; where the system keeps the names of open files,
 * the file goes when it is closed, and those of dead processes when a folder is next used.
 *
 * @param path an existing folder
 */
record TierFolder(Path path) {
  /** Setting of a tier that names its folder. */
  static final String SETTING = "dir";

  private static final String PREFIX = "attention4j-kv-";
  private static final String SUFFIX = ".tmp";
  private static final int PIECE_BYTES = 1 << 20;
  private static final AtomicLong FILES = new AtomicLong();

  /** The folder that a tier names, or that of the system for temporary files. */
  static TierFolder of(OptionSpec tier) {
    return open(tier.text(SETTING, System.getProperty("java.io.tmpdir")));
  }

  /**
   * Refuses kernels that do not read memory of the host.
   *
   * @throws IllegalArgumentException naming the kernels
   */
  static void requireHost(KernelSelector kernels) {
    if (!SlabMemory.isHost(kernels.device())) {
      throw new IllegalArgumentException(
          "KV caches in mapped files need kernels that read memory of the host, and '"
              + kernels.device().providerId()
              + "' does not; use kernels of the CPU, or the tier offload or memory");
    }
  }

  /**
   * Checks the folder and clears what dead processes left.
   *
   * @throws IllegalArgumentException if it is no folder that can be written
   */
  static TierFolder open(String text) {
    Path path = Path.of(text).toAbsolutePath();
    if (!Files.isDirectory(path) || !Files.isWritable(path)) {
      throw new IllegalArgumentException(
          "KV cache setting dir=" + text + " is no folder that can be written; make it first");
    }
    try (DirectoryStream<Path> files = Files.newDirectoryStream(path, PREFIX + "*" + SUFFIX)) {
      for (Path file : files) {
        if (!isAlive(file.getFileName().toString())) {
          Files.deleteIfExists(file);
        }
      }
    } catch (IOException e) {
      throw new IllegalArgumentException(
          "KV cache setting dir=" + text + " cannot be listed: " + e.getMessage(), e);
    }
    return new TierFolder(path);
  }

  private static boolean isAlive(String name) {
    String process = name.substring(PREFIX.length(), name.indexOf('-', PREFIX.length()));
    try {
      return ProcessHandle.of(Long.parseLong(process)).map(ProcessHandle::isAlive).orElse(false);
    } catch (NumberFormatException e) {
      return true; // not a name of ours
    }
  }

  /** A new file. */
  record Opened(Path name, FileChannel channel) {}

  /** A new, empty file for reading and writing; {@link #unlink} it once it is in use. */
  Opened create(OpenOption... more) throws IOException {
    Path name =
        path.resolve(
            PREFIX + ProcessHandle.current().pid() + "-" + FILES.incrementAndGet() + SUFFIX);
    OpenOption[] options = Arrays.copyOf(more, more.length + 3);
    options[more.length] = StandardOpenOption.CREATE_NEW;
    options[more.length + 1] = StandardOpenOption.READ;
    options[more.length + 2] = StandardOpenOption.WRITE;
    return new Opened(name, FileChannel.open(name, options));
  }

  /** Takes a file's name away, if the system can do so while it is open. */
  static void unlink(Path name) throws IOException {
    try {
      Files.deleteIfExists(name);
    } catch (IOException e) {
      if (name.getFileSystem().supportedFileAttributeViews().contains("posix")) {
        throw e;
      }
      name.toFile().deleteOnExit(); // this system deletes closed files only
    }
  }

  /**
   * Writes zeros, since a file with holes ends the process when the disk is full and a mapping of
   * it is written.
   */
  static void reserve(FileChannel channel, long from, long bytes, ByteBuffer zeros)
      throws IOException {
    for (long at = from; at < from + bytes; ) {
      zeros.clear().limit((int) Math.min(zeros.capacity(), from + bytes - at));
      at += channel.write(zeros, at);
    }
  }

  /** Zeros at an address that is a multiple of a power of two. */
  static ByteBuffer zeros(int alignment) {
    return ByteBuffer.allocateDirect(PIECE_BYTES + alignment).alignedSlice(alignment);
  }

  /** One sentence about a file that cannot be made, grown or read. */
  IllegalStateException failed(String what, IOException e) {
    String reason = e.getMessage() == null ? e.toString() : e.getMessage();
    return new IllegalStateException(
        "the KV cache's file in "
            + path
            + " cannot be "
            + what
            + ": "
            + reason
            + "; free space or name another folder in --kv-cache",
        e);
  }
}
