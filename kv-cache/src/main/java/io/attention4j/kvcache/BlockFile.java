package io.attention4j.kvcache;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.OpenOption;
import java.util.BitSet;
import java.util.concurrent.locks.LockSupport;

/**
 * Blocks of one size in one file, which exists while a block is taken. Taking and freeing are
 * thread-safe; reading and writing are for the one thread that does input and output.
 */
final class BlockFile {
  /** A file doubles from the first number of bytes on until it grows by the second. */
  private static final long LEAST_EXTENT_BYTES = 1 << 16;

  private static final long MOST_EXTENT_BYTES = 1 << 22;
  private static final String OPTIONS = "com.sun.nio.file.ExtendedOpenOption";
  private static final long LATE_NANOS = 1_000_000;
  private static final double NANOS_PER_SECOND = 1e9;

  private final Settings settings;
  private final long blockBytes;
  private final BitSet taken = new BitSet();
  private FileChannel channel;
  private long reserved; // blocks
  private long readFrom; // nanoTime before which the simulated store is busy

  /**
   * How files are read.
   *
   * @param folder where
   * @param direct past the system's cache; block sizes are then multiples of {@link #ALIGNMENT}
   * @param bytesPerSecond what the store gives at most, 0 for no limit; simulates a slow one
   */
  record Settings(TierFolder folder, boolean direct, double bytesPerSecond) {
    /** Of addresses and sizes, enough for the disks there are. */
    static final int ALIGNMENT = 4096;

    FileChannel open() throws IOException {
      TierFolder.Opened file = direct ? folder.create(directOption()) : folder.create();
      TierFolder.unlink(file.name());
      return file.channel();
    }

    /** By name, since javac warns of every use of the constant and no annotation hides that. */
    private static OpenOption directOption() {
      try {
        for (Object option : Class.forName(OPTIONS).getEnumConstants()) {
          if (option instanceof Enum<?> constant && constant.name().equals("DIRECT")) {
            return (OpenOption) option;
          }
        }
      } catch (ClassNotFoundException e) {
        throw new UnsupportedOperationException("this JVM lacks " + OPTIONS, e);
      }
      throw new UnsupportedOperationException("this JVM lacks " + OPTIONS + ".DIRECT");
    }
  }

  BlockFile(Settings settings, long blockBytes) {
    this.settings = settings;
    this.blockBytes = blockBytes;
  }

  /**
   * Takes a block whose room is reserved.
   *
   * @throws IOException if the file cannot be made or the disk is full; no block is then taken
   */
  synchronized int take() throws IOException {
    if (channel == null) {
      channel = settings.open();
    }
    int block = taken.nextClearBit(0);
    if (block >= reserved) {
      long bytes = Math.clamp(reserved * blockBytes, LEAST_EXTENT_BYTES, MOST_EXTENT_BYTES);
      long blocks = Math.max(1, bytes / blockBytes);
      ByteBuffer zeros =
          TierFolder.zeros(Settings.ALIGNMENT); // sizes and addresses suit direct writes
      try {
        TierFolder.reserve(channel, reserved * blockBytes, blocks * blockBytes, zeros);
      } catch (IOException e) {
        closeIfEmpty();
        throw e;
      }
      reserved += blocks;
    }
    taken.set(block);
    return block;
  }

  synchronized void free(int block) {
    taken.clear(block);
    closeIfEmpty();
  }

  private void closeIfEmpty() {
    if (!taken.isEmpty() || channel == null) {
      return;
    }
    try {
      channel.close();
    } catch (IOException e) {
      throw settings.folder().failed("closed", e);
    } finally {
      channel = null;
      reserved = 0;
    }
  }

  /** Bytes of the file. */
  synchronized long bytes() {
    return reserved * blockBytes;
  }

  private synchronized FileChannel channel() throws IOException {
    if (channel == null) {
      throw new IOException("it is closed");
    }
    return channel;
  }

  void write(int block, MemorySegment memory) throws IOException {
    FileChannel file = channel();
    ByteBuffer bytes = memory.asByteBuffer();
    while (bytes.hasRemaining()) {
      file.write(bytes, block * blockBytes + bytes.position());
    }
  }

  void read(int block, MemorySegment memory) throws IOException {
    FileChannel file = channel();
    ByteBuffer bytes = memory.asByteBuffer();
    long start = System.nanoTime();
    while (bytes.hasRemaining()) {
      if (file.read(bytes, block * blockBytes + bytes.position()) < 0) {
        throw new IOException("it ends early");
      }
    }
    if (settings.bytesPerSecond() > 0) {
      double nanos = blockBytes / settings.bytesPerSecond() * NANOS_PER_SECOND;
      // A thread sleeps longer than it asked for; the next reads make up for that.
      readFrom = Math.max(readFrom, start - LATE_NANOS) + (long) nanos;
      for (long left = readFrom - System.nanoTime(); left > 0; ) {
        LockSupport.parkNanos(left);
        left = readFrom - System.nanoTime();
      }
    }
  }
}
