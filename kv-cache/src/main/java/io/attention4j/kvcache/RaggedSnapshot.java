package io.attention4j.kvcache;

import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.spi.Device;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;

/**
 * A {@link RaggedKvCache} in a file: a header with the policy's id, for every head its entries'
 * positions, scores and stored codes and its summary, then what the policy remembers. Big-endian,
 * except the codes, which are as the pages hold them.
 */
final class RaggedSnapshot {
  private static final int MAGIC = 0x524B3441; // "A4KR"
  private static final int VERSION = 1;
  private static final int MAX_STATE_BYTES = 1 << 30;

  private RaggedSnapshot() {}

  static void save(WritableByteChannel channel, RaggedKvCache cache) throws IOException {
    RaggedKvCache.Room room = cache.room();
    Device device = room.device();
    DataOutputStream out = new DataOutputStream(Channels.newOutputStream(channel));
    out.writeInt(MAGIC);
    out.writeInt(VERSION);
    out.writeUTF(room.policy().id());
    PageLayout layout = room.layout();
    out.writeInt(room.shape().kvHeads());
    out.writeInt(layout.keyDim());
    out.writeInt(layout.valueDim());
    out.writeInt(KvSnapshot.code(layout.keyFormat()));
    out.writeInt(KvSnapshot.code(layout.valueFormat()));
    out.writeInt((int) cache.length());
    out.writeInt(cache.droppedAt());
    out.writeInt(cache.undecided());
    for (int h = 0; h < room.shape().kvHeads(); h++) {
      HeadEntries head = cache.head(h);
      out.writeInt(head.count());
      for (int entry = 0; entry < head.count(); entry++) {
        out.writeInt((int) head.position(entry));
        out.writeFloat(head.score(entry));
      }
      out.flush();
      KvSnapshot.writeSlots(channel, device, head.pages(), head.pageCount());
      KvPage summary = cache.summaries().page(h);
      out.writeBoolean(summary != null);
      if (summary != null) {
        out.writeFloat(summary.bias()[0]);
        out.writeInt((int) summary.firstPosition());
        out.flush();
        KvSnapshot.writeSlots(channel, device, new KvPage[] {summary}, 1);
      }
    }
    ByteArrayOutputStream state = new ByteArrayOutputStream();
    cache.state().save(new DataOutputStream(state));
    out.writeInt(state.size());
    state.writeTo(out);
    out.flush();
  }

  /** Fills an empty cache. */
  static void load(ReadableByteChannel channel, RaggedKvCache cache) throws IOException {
    RaggedKvCache.Room room = cache.room();
    DataInputStream in = new DataInputStream(Channels.newInputStream(channel));
    if (in.readInt() != MAGIC || in.readInt() != VERSION) {
      throw new IOException("not a snapshot of a KV cache with a policy, version " + VERSION);
    }
    String policy = in.readUTF();
    if (!policy.equals(room.policy().id())) {
      throw new IOException(
          "the snapshot was saved with KV policy '"
              + policy
              + "', this cache has '"
              + room.policy().id()
              + "'; restore it with the --kv-cache it was saved with");
    }
    PageLayout layout = room.layout();
    KvSnapshot.require("KV heads", in.readInt(), room.shape().kvHeads());
    KvSnapshot.require("key elements", in.readInt(), layout.keyDim());
    KvSnapshot.require("value elements", in.readInt(), layout.valueDim());
    KvSnapshot.require("key format", in.readInt(), KvSnapshot.code(layout.keyFormat()));
    KvSnapshot.require("value format", in.readInt(), KvSnapshot.code(layout.valueFormat()));
    int length = bounded("tokens", in.readInt(), room.shape().maxPositions());
    int droppedAt = bounded("tokens at the last drop", in.readInt(), length);
    int undecided = bounded("undecided tokens", in.readInt(), length);
    cache.counters(length, droppedAt, undecided);
    for (int h = 0; h < room.shape().kvHeads(); h++) {
      loadHead(channel, in, cache, h, length);
    }
    byte[] state = in.readNBytes(bounded("policy bytes", in.readInt(), MAX_STATE_BYTES));
    DataInputStream stateIn = new DataInputStream(new ByteArrayInputStream(state));
    cache.state().load(stateIn);
    if (stateIn.read() >= 0) {
      throw new IOException("the snapshot's policy state is longer than this policy's");
    }
  }

  private static void loadHead(
      ReadableByteChannel channel, DataInputStream in, RaggedKvCache cache, int h, int length)
      throws IOException {
    Device device = cache.room().device();
    HeadEntries head = cache.head(h);
    int count = bounded("entries", in.readInt(), length);
    for (int entry = 0; entry < count; entry++) {
      head.extend(1, bounded("position", in.readInt(), length - 1));
      float score = in.readFloat();
      if (score != 0) {
        head.score(entry, score);
      }
    }
    KvSnapshot.readSlots(channel, device, head.pages(), head.pageCount());
    if (in.readBoolean()) {
      float bias = in.readFloat();
      KvPage page = cache.summaries().place(h, bias, bounded("position", in.readInt(), length - 1));
      KvSnapshot.readSlots(channel, device, new KvPage[] {page}, 1);
    }
  }

  private static int bounded(String what, int value, int max) throws IOException {
    if (value < 0 || value > max) {
      throw new IOException("the snapshot's " + what + " " + value + " is outside 0.." + max);
    }
    return value;
  }
}
