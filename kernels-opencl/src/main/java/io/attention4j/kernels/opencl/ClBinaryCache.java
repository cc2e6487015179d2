package io.attention4j.kernels.opencl;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;

/**
 * Compiled programs on disk, one file each, named by a hash of device, driver, source and options.
 * A file is a magic word, the hash of what follows, and the driver's binary; one that does not say
 * so is no entry. Files appear whole or not at all. A cache that cannot be read or written is only
 * slow, so such errors are logged and otherwise left alone.
 */
final class ClBinaryCache {
  private static final int MAGIC = 0x41344a31;
  private static final int HASH_BYTES = 32;
  private static final int HEADER_BYTES = Integer.BYTES + HASH_BYTES;
  private static final long MOST_BYTES = 256L << 20;

  private static final System.Logger LOG = System.getLogger(ClBinaryCache.class.getName());

  private final Path directory;
  private final String device;

  ClBinaryCache(Path directory, ClDevice device) {
    this.directory = directory;
    this.device = device.name() + "\n" + device.version() + "\n" + device.driver();
  }

  /** The file of a program. */
  Path file(String source, String options) {
    MessageDigest hash = sha256();
    for (String part : new String[] {device, options, source}) {
      byte[] bytes = part.getBytes(StandardCharsets.UTF_8);
      hash.update(ByteBuffer.allocate(Integer.BYTES).putInt(bytes.length).flip());
      hash.update(bytes);
    }
    return directory.resolve(HexFormat.of().formatHex(hash.digest()) + ".clbin");
  }

  /** The binary in a file, or null if there is none or it is damaged. */
  byte[] read(Path file) {
    try {
      if (!Files.isRegularFile(file) || Files.size(file) > MOST_BYTES) {
        return null;
      }
      byte[] bytes = Files.readAllBytes(file);
      if (bytes.length < HEADER_BYTES || ByteBuffer.wrap(bytes).getInt() != MAGIC) {
        return null;
      }
      byte[] binary = Arrays.copyOfRange(bytes, HEADER_BYTES, bytes.length);
      byte[] hash = Arrays.copyOfRange(bytes, Integer.BYTES, HEADER_BYTES);
      return MessageDigest.isEqual(hash, sha256().digest(binary)) ? binary : null;
    } catch (IOException e) {
      LOG.log(System.Logger.Level.DEBUG, "cannot read " + file, e);
      return null;
    }
  }

  /** Writes a file, or leaves it. */
  void write(Path file, byte[] binary) {
    Path partial = null;
    try {
      Files.createDirectories(directory);
      partial = Files.createTempFile(directory, "partial", ".tmp");
      ByteBuffer whole = ByteBuffer.allocate(HEADER_BYTES + binary.length);
      whole.putInt(MAGIC).put(sha256().digest(binary)).put(binary);
      Files.write(partial, whole.array());
      Files.move(
          partial, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException e) {
      LOG.log(System.Logger.Level.DEBUG, "cannot write " + file, e);
      delete(partial);
    }
  }

  private static void delete(Path partial) {
    try {
      if (partial != null) {
        Files.deleteIfExists(partial);
      }
    } catch (IOException e) {
      LOG.log(System.Logger.Level.DEBUG, "cannot delete " + partial, e);
    }
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every JVM has SHA-256", e);
    }
  }
}
