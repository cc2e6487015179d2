package io.attention4j.kvcache;

import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.operator.StateBytes;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Shape;
import io.attention4j.engine.tensor.Storage;
import io.attention4j.engine.tensor.Tensor;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.Channels;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;

/**
 * A {@link StaircaseKvCache} in a file: a header with the schedule and the tokens of a page, then
 * for every head its pages; F16 pages as their filled slots, older ones whole, as they are. The
 * levels of pages follow from the number of tokens. Big-endian, except what pages hold.
 */
final class StaircaseSnapshot {
  private static final int MAGIC = 0x534B3441; // "A4KS"
  private static final int VERSION = 1;

  private StaircaseSnapshot() {}

  static void save(WritableByteChannel channel, StaircaseKvCache cache) throws IOException {
    StaircaseKvCache.Room room = cache.room();
    PageLayout layout = room.layouts().getFirst();
    DataOutputStream out = new DataOutputStream(Channels.newOutputStream(channel));
    out.writeInt(MAGIC);
    out.writeInt(VERSION);
    out.writeUTF(room.schedule().toString());
    out.writeInt(room.pageTokens());
    out.writeInt(room.kvHeads());
    out.writeInt(layout.keyDim());
    out.writeInt(layout.valueDim());
    out.writeInt((int) cache.length());
    out.writeInt(cache.quantisedAt());
    out.flush();
    for (int head = 0; head < room.kvHeads(); head++) {
      for (int i = 0; i < cache.pageCount(); i++) {
        KvPage page = cache.page(head, i);
        if (page.keyFormat() instanceof KvFormat.Grouped) {
          StateBytes.write(keys(page).asByteBuffer(), channel);
          StateBytes.write(values(page).asByteBuffer(), channel);
        } else {
          KvSnapshot.writeSlots(channel, room.device(), new KvPage[] {page}, 1);
        }
      }
    }
  }

  /** Fills an empty cache. */
  static void load(ReadableByteChannel channel, StaircaseKvCache cache) throws IOException {
    StaircaseKvCache.Room room = cache.room();
    PageLayout layout = room.layouts().getFirst();
    DataInputStream in = new DataInputStream(Channels.newInputStream(channel));
    if (in.readInt() != MAGIC || in.readInt() != VERSION) {
      throw new IOException(
          "not a snapshot of a KV cache that quantises by distance, version " + VERSION);
    }
    String schedule = in.readUTF();
    if (!schedule.equals(room.schedule().toString())) {
      throw new IOException(
          "the snapshot was saved with "
              + schedule
              + ", this cache has "
              + room.schedule()
              + "; restore it with the --kv-cache it was saved with");
    }
    KvSnapshot.require("tokens per page", in.readInt(), room.pageTokens());
    KvSnapshot.require("KV heads", in.readInt(), room.kvHeads());
    KvSnapshot.require("key elements", in.readInt(), layout.keyDim());
    KvSnapshot.require("value elements", in.readInt(), layout.valueDim());
    int length = bounded("tokens", in.readInt(), room.maxTokens());
    int quantisedAt = bounded("tokens at the last quantisation", in.readInt(), length);
    cache.restore(length, quantisedAt);
    Device device = room.device();
    for (int head = 0; head < room.kvHeads(); head++) {
      for (int i = 0; i < cache.pageCount(); i++) {
        KvPage page = cache.page(head, i);
        if (page.keyFormat() instanceof KvFormat.Grouped) {
          StateBytes.read(keys(page).asByteBuffer(), channel);
          StateBytes.read(values(page).asByteBuffer(), channel);
        } else {
          KvSnapshot.readSlots(channel, device, new KvPage[] {page}, 1);
        }
      }
    }
  }

  private static MemorySegment keys(KvPage page) {
    long bytes = page.keyFormat().pageBytes(page.capacity(), page.keyDim());
    return whole(page.keys(), page.keyOffset(), bytes);
  }

  private static MemorySegment values(KvPage page) {
    long bytes = page.valueFormat().pageBytes(page.capacity(), page.valueDim());
    return whole(page.values(), page.valueOffset(), bytes);
  }

  private static MemorySegment whole(Storage storage, long offset, long bytes) {
    return Tensor.of(storage, DType.I8, Shape.of(bytes), offset).segment().asSlice(0, bytes);
  }

  private static int bounded(String what, int value, int max) throws IOException {
    if (value < 0 || value > max) {
      throw new IOException("the snapshot's " + what + " " + value + " is outside 0.." + max);
    }
    return value;
  }
}
