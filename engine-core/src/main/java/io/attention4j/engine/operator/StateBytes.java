package io.attention4j.engine.operator;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;

/** Whole buffers through channels, for those who implement {@link LayerState#save} and load. */
public final class StateBytes {
  private StateBytes() {}

  /** Writes all that remains of a buffer. */
  public static void write(ByteBuffer bytes, WritableByteChannel channel) throws IOException {
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }

  /**
   * Fills a buffer.
   *
   * @throws EOFException if the channel ends before it is full; says by how much
   */
  public static void read(ByteBuffer target, ReadableByteChannel channel) throws IOException {
    while (target.hasRemaining()) {
      if (channel.read(target) < 0) {
        throw new EOFException("the saved state ends " + target.remaining() + " bytes early");
      }
    }
  }
}
