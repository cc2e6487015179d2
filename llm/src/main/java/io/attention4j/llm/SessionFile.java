package io.attention4j.llm;

import io.attention4j.engine.operator.LayerState;
import io.attention4j.llm.format.ModelFormatException;
import io.attention4j.llm.mapping.WholeFile;
import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.zip.CRC32C;

/**
 * A saved session: magic, version, fingerprint of the model, attention and KV-cache options,
 * tokens, then each layer's state in the operator's own format, and a CRC-32C of all before it.
 * Numbers are big-endian.
 */
final class SessionFile {
  private static final byte[] MAGIC = "A4JSESSN".getBytes(StandardCharsets.US_ASCII);
  private static final int VERSION = 1;
  private static final int CRC_BYTES = Integer.BYTES;
  private static final int MAX_OPTION_BYTES = 1 << 16;

  private SessionFile() {}

  /** What stands before the layers, and how many bytes it takes. */
  record Header(int[] tokens, long bytes) {}

  static void write(Path target, LanguageModel model, int[] tokens, List<LayerState> states)
      throws IOException {
    WholeFile.write(
        target,
        file -> {
          Checksummed out = new Checksummed(file);
          out.writeAll(header(model, tokens));
          model.exclusively(
              () -> {
                for (LayerState state : states) {
                  state.save(out);
                }
              });
          ByteBuffer crc = ByteBuffer.allocate(CRC_BYTES).putInt(0, (int) out.crc.getValue());
          while (crc.hasRemaining()) {
            file.write(crc);
          }
        });
  }

  private static ByteBuffer header(LanguageModel model, int[] tokens) {
    byte[] options = options(model).getBytes(StandardCharsets.UTF_8);
    byte[] fingerprint = model.fingerprint();
    ByteBuffer header =
        ByteBuffer.allocate(
            MAGIC.length
                + 3 * Integer.BYTES
                + fingerprint.length
                + options.length
                + tokens.length * Integer.BYTES);
    header.put(MAGIC).putInt(VERSION).put(fingerprint);
    header.putInt(options.length).put(options).putInt(tokens.length);
    for (int token : tokens) {
      header.putInt(token);
    }
    return header.flip();
  }

  private static String options(LanguageModel model) {
    LoadOptions options = model.info().options();
    return "attention " + options.attention() + ", KV cache " + options.kvCache();
  }

  /** Checks the whole file without touching a session. */
  static Header check(Path file, LanguageModel model) throws IOException {
    if (!Files.isRegularFile(file)) {
      throw new ModelFormatException(file, "there is no such file", "check the path");
    }
    requireChecksum(file);
    try (DataInputStream in =
        new DataInputStream(new BufferedInputStream(Files.newInputStream(file)))) {
      return readHeader(file, in, model);
    } catch (EOFException e) {
      throw torn(file);
    }
  }

  private static Header readHeader(Path file, DataInputStream in, LanguageModel model)
      throws IOException {
    in.skipNBytes(MAGIC.length);
    int version = in.readInt();
    if (version != VERSION) {
      throw new ModelFormatException(
          file,
          "the session was saved in format " + version + " where " + VERSION + " is known",
          "use the version of this library that saved it");
    }
    byte[] fingerprint = in.readNBytes(model.fingerprint().length);
    if (!Arrays.equals(fingerprint, model.fingerprint())) {
      throw new ModelFormatException(
          file, "the session belongs to another model", "load the model that it was saved from");
    }
    int optionBytes = in.readInt();
    if (optionBytes < 0 || optionBytes > MAX_OPTION_BYTES) {
      throw torn(file);
    }
    String options = new String(in.readNBytes(optionBytes), StandardCharsets.UTF_8);
    if (!options.equals(options(model))) {
      throw new ModelFormatException(
          file,
          "the session was saved with "
              + options
              + " but the model is loaded with "
              + options(model),
          "load the model with the same options");
    }
    int count = in.readInt();
    if (count < 0 || count > model.info().contextTokens()) {
      throw new ModelFormatException(
          file,
          "the session has "
              + count
              + " tokens but the context holds "
              + model.info().contextTokens(),
          "load the model with a larger context");
    }
    int[] tokens = new int[count];
    int vocabulary = model.info().config().sizes().vocabulary();
    for (int i = 0; i < count; i++) {
      tokens[i] = in.readInt();
      if (tokens[i] < 0 || tokens[i] >= vocabulary) {
        throw torn(file);
      }
    }
    long bytes = MAGIC.length + (3L + count) * Integer.BYTES + fingerprint.length + optionBytes;
    return new Header(tokens, bytes);
  }

  private static void requireChecksum(Path file) throws IOException {
    CRC32C crc = new CRC32C();
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      long body = channel.size() - CRC_BYTES;
      ByteBuffer buffer = ByteBuffer.allocate(1 << 16);
      ByteBuffer start = ByteBuffer.allocate(MAGIC.length);
      readFully(channel, start);
      if (body < MAGIC.length || !Arrays.equals(start.array(), MAGIC)) {
        throw new ModelFormatException(
            file, "this is not a saved session", "name a file that Session.save wrote");
      }
      crc.update(MAGIC);
      for (long left = body - MAGIC.length; left > 0; left -= buffer.limit()) {
        buffer.clear().limit((int) Math.min(left, buffer.capacity()));
        readFully(channel, buffer);
        crc.update(buffer.flip());
      }
      ByteBuffer stored = ByteBuffer.allocate(CRC_BYTES);
      readFully(channel, stored);
      if (stored.getInt(0) != (int) crc.getValue()) {
        throw torn(file);
      }
    }
  }

  private static void readFully(FileChannel channel, ByteBuffer buffer) throws IOException {
    while (buffer.hasRemaining() && channel.read(buffer) >= 0) {
      // a read may be short
    }
  }

  private static ModelFormatException torn(Path file) {
    return new ModelFormatException(
        file, "the saved session is incomplete or damaged", "save it again or start anew");
  }

  /** Loads the layers of a checked file. */
  static void read(Path file, Header header, LanguageModel model, List<LayerState> states)
      throws IOException {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      channel.position(header.bytes());
      long end = channel.size() - CRC_BYTES;
      ReadableByteChannel body = new Bounded(channel, end);
      model.exclusively(
          () -> {
            for (LayerState state : states) {
              state.load(body);
              if (state.length() != header.tokens().length) {
                throw torn(file);
              }
            }
          });
      if (channel.position() != end) {
        throw torn(file);
      }
    }
  }

  /** Adds up a checksum of what passes. */
  private static final class Checksummed implements WritableByteChannel {
    private final WritableByteChannel target;
    private final CRC32C crc = new CRC32C();

    Checksummed(WritableByteChannel target) {
      this.target = target;
    }

    @Override
    public int write(ByteBuffer source) throws IOException {
      ByteBuffer written = source.duplicate();
      int count = target.write(source);
      crc.update(written.limit(written.position() + count));
      return count;
    }

    void writeAll(ByteBuffer source) throws IOException {
      while (source.hasRemaining()) {
        write(source);
      }
    }

    @Override
    public boolean isOpen() {
      return target.isOpen();
    }

    @Override
    public void close() throws IOException {
      target.close();
    }
  }

  /** Ends before the checksum. */
  private record Bounded(FileChannel source, long end) implements ReadableByteChannel {
    @Override
    public int read(ByteBuffer target) throws IOException {
      long left = end - source.position();
      if (left <= 0) {
        return target.hasRemaining() ? -1 : 0;
      }
      int limit = target.limit();
      target.limit((int) Math.min(limit, target.position() + left));
      try {
        return source.read(target);
      } finally {
        target.limit(limit);
      }
    }

    @Override
    public boolean isOpen() {
      return source.isOpen();
    }

    @Override
    public void close() throws IOException {
      source.close();
    }
  }
}
