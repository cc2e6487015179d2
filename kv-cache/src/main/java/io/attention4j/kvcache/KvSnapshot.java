package io.attention4j.kvcache;

import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.operator.StateBytes;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Shape;
import io.attention4j.engine.tensor.Storage;
import io.attention4j.engine.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;

/**
 * The bytes of a cache in a file, independent of its page size: a header, then for every KV head
 * the filled slots of each {@link KvFormat.Region} of the keys and of the values. Stored codes are
 * copied as they are, so a restored cache is equal bit for bit.
 */
final class KvSnapshot {
  private static final int MAGIC = 0x564B3441; // "A4KV"
  private static final int VERSION = 1;
  private static final int HEADER_BYTES = 32;
  private static final long PIECE_BYTES = 1 << 26;

  private KvSnapshot() {}

  static void save(
      WritableByteChannel channel,
      Device device,
      PageLayout layout,
      KvPage[][] pages,
      int pageCount,
      int length)
      throws IOException {
    writeHeader(channel, layout, pages.length, length);
    for (KvPage[] head : pages) {
      writeSlots(channel, device, head, pageCount);
    }
  }

  /** Writes what stands before the slots of the first head. */
  static void writeHeader(WritableByteChannel channel, PageLayout layout, int kvHeads, int length)
      throws IOException {
    ByteBuffer header = header();
    header.putInt(MAGIC).putInt(VERSION).putInt(kvHeads).putInt(length);
    header.putInt(layout.keyDim()).putInt(layout.valueDim());
    header.putInt(code(layout.keyFormat())).putInt(code(layout.valueFormat()));
    StateBytes.write(header.flip(), channel);
  }

  /** Writes the filled slots of the pages of one head. */
  static void writeSlots(WritableByteChannel channel, Device device, KvPage[] head, int pageCount)
      throws IOException {
    for (Part part : Part.values()) {
      for (int region = 0;
          pageCount > 0 && region < part.regions(head[0].keyFormat(), head[0].valueFormat());
          region++) {
        for (int i = 0; i < pageCount; i++) {
          try (Arena arena = Arena.ofConfined()) {
            write(channel, part.bytes(device, arena, head[i], region), PIECE_BYTES);
          }
        }
      }
    }
  }

  /** Reads and checks the header; returns the number of tokens. */
  static int readHeader(ReadableByteChannel channel, PageLayout layout, int kvHeads, int maxTokens)
      throws IOException {
    ByteBuffer header = header();
    StateBytes.read(header, channel);
    header.flip();
    int magic = header.getInt();
    int version = header.getInt();
    if (magic != MAGIC || version != VERSION) {
      throw new IOException("not a KV-cache snapshot of version " + VERSION);
    }
    int heads = header.getInt();
    int length = header.getInt();
    require("KV heads", heads, kvHeads);
    require("key elements", header.getInt(), layout.keyDim());
    require("value elements", header.getInt(), layout.valueDim());
    require("key format", header.getInt(), code(layout.keyFormat()));
    require("value format", header.getInt(), code(layout.valueFormat()));
    if (length < 0 || length > maxTokens) {
      throw new IOException(
          "the snapshot holds " + length + " tokens, this cache at most " + maxTokens);
    }
    return length;
  }

  /** Reads the filled slots of every page, whose lengths must be set. */
  static void readSlots(ReadableByteChannel channel, Device device, KvPage[][] pages, int pageCount)
      throws IOException {
    for (KvPage[] head : pages) {
      readSlots(channel, device, head, pageCount);
    }
  }

  /** Reads the filled slots of the pages of one head, whose lengths must be set. */
  static void readSlots(ReadableByteChannel channel, Device device, KvPage[] head, int pageCount)
      throws IOException {
    for (Part part : Part.values()) {
      for (int region = 0;
          pageCount > 0 && region < part.regions(head[0].keyFormat(), head[0].valueFormat());
          region++) {
        for (int i = 0; i < pageCount; i++) {
          try (Arena arena = Arena.ofConfined()) {
            part.read(channel, device, arena, head[i], region);
          }
        }
      }
    }
  }

  /** Keys or values of a page. */
  private enum Part {
    KEYS,
    VALUES;

    int regions(KvFormat keys, KvFormat values) {
      return (this == KEYS ? keys : values).regions(1, 1).size();
    }

    private Tensor view(KvPage page, int index) {
      Storage storage = this == KEYS ? page.keys() : page.values();
      KvFormat.Region region =
          this == KEYS
              ? page.keyFormat().regions(page.capacity(), page.keyDim()).get(index)
              : page.valueFormat().regions(page.capacity(), page.valueDim()).get(index);
      long start = (this == KEYS ? page.keyOffset() : page.valueOffset()) + region.offset();
      long bytes = (long) page.length() * region.slotBytes();
      return Tensor.of(storage, DType.I8, Shape.of(bytes), start);
    }

    MemorySegment bytes(Device device, Arena arena, KvPage page, int region) {
      Tensor view = view(page, region);
      if (view.storage() instanceof Storage.Host) {
        return view.segment().asSlice(0, view.byteSize());
      }
      MemorySegment staged = arena.allocate(view.byteSize());
      device.download(view, staged);
      return staged;
    }

    void read(ReadableByteChannel channel, Device device, Arena arena, KvPage page, int region)
        throws IOException {
      Tensor view = view(page, region);
      if (view.storage() instanceof Storage.Host) {
        KvSnapshot.read(channel, view.segment().asSlice(0, view.byteSize()), PIECE_BYTES);
      } else {
        MemorySegment staged = arena.allocate(view.byteSize());
        KvSnapshot.read(channel, staged, PIECE_BYTES);
        device.upload(staged, view);
      }
    }
  }

  static void require(String what, int found, int expected) throws IOException {
    if (found != expected) {
      throw new IOException(
          "the snapshot has "
              + what
              + " "
              + found
              + ", this cache "
              + expected
              + "; restore it with the model and --kv-cache it was saved with");
    }
  }

  static int code(KvFormat format) {
    return switch (format) {
      case KvFormat.Plain plain -> plain.dtype().ggmlId();
      case KvFormat.Q8 q8 -> 100;
      case KvFormat.Q4 q4 -> 101;
      case KvFormat.Grouped grouped ->
          1000 + 512 * grouped.axis().ordinal() + grouped.group() + grouped.bits();
      case KvFormat.Staircase staircase -> code(staircase.newest());
    };
  }

  /** Writes memory of any size in pieces, since a buffer holds less than 2 GiB. */
  static void write(WritableByteChannel channel, MemorySegment memory, long pieceBytes)
      throws IOException {
    for (long at = 0; at < memory.byteSize(); at += pieceBytes) {
      long bytes = Math.min(pieceBytes, memory.byteSize() - at);
      StateBytes.write(memory.asSlice(at, bytes).asByteBuffer(), channel);
    }
  }

  /** Fills memory of any size in pieces. */
  static void read(ReadableByteChannel channel, MemorySegment memory, long pieceBytes)
      throws IOException {
    for (long at = 0; at < memory.byteSize(); at += pieceBytes) {
      long bytes = Math.min(pieceBytes, memory.byteSize() - at);
      StateBytes.read(memory.asSlice(at, bytes).asByteBuffer(), channel);
    }
  }

  private static ByteBuffer header() {
    return ByteBuffer.allocate(HEADER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
  }
}
