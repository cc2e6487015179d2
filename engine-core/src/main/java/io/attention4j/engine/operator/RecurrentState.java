package io.attention4j.engine.operator;

import io.attention4j.engine.spi.Device;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Shape;
import io.attention4j.engine.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;

/**
 * The memory of a recurrence: F32 tensors of constant size on the layer's device, zeros for an
 * empty sequence. A recurrence forgets how it came to its state, so it goes back to an empty
 * sequence or to one of its last {@value #MAX_SNAPSHOTS} snapshots, and refuses any other length.
 */
public final class RecurrentState implements LayerState {
  /** Snapshots that a state keeps; each takes as much memory as the state. */
  public static final int MAX_SNAPSHOTS = 4;

  private static final int VERSION = 1;
  private static final int ID_BYTES = 16;
  private static final int HEADER_BYTES = ID_BYTES + Integer.BYTES + 2 * Long.BYTES;
  private static final long ALIGNED_ELEMENTS = Tensor.ALIGNMENT_BYTES / Float.BYTES;

  private record Snapshot(long length, Arena arena, MemorySegment bytes) {}

  private final String id;
  private final Device device;
  private final Shape[] shapes;
  private final Device.TensorArena arena;
  private final Tensor all;
  private final List<Tensor> tensors;
  private final Deque<Snapshot> snapshots = new ArrayDeque<>();
  private long length;

  /**
   * An empty state.
   *
   * @param id what saved states start with, at most 16 ASCII characters: the recurrence's name
   * @param device owner of the tensors
   * @param shapes shape of each tensor
   */
  public RecurrentState(String id, Device device, Shape... shapes) {
    this.id = id;
    this.device = device;
    this.shapes = shapes.clone();
    if (id.length() > ID_BYTES) {
      throw new IllegalArgumentException(
          "the id '" + id + "' has " + id.length() + " characters where " + ID_BYTES + " fit");
    }
    arena = device.newArena();
    all = arena.allocate(DType.F32, elements(shapes));
    tensors = new ArrayList<>(shapes.length);
    long from = 0;
    for (Shape shape : shapes) {
      tensors.add(all.slice(0, from, shape.elements()).reshape(shape.extents()));
      from += aligned(shape.elements());
    }
  }

  /** Bytes of a state with these tensors, without snapshots. */
  public static long bytes(Shape... shapes) {
    return Math.multiplyExact(elements(shapes), (long) Float.BYTES);
  }

  private static long elements(Shape... shapes) {
    return Arrays.stream(shapes).mapToLong(shape -> aligned(shape.elements())).sum();
  }

  private static long aligned(long elements) {
    return Math.ceilDiv(elements, ALIGNED_ELEMENTS) * ALIGNED_ELEMENTS;
  }

  /** A tensor of the state, in the order of the shapes, to be read and written in place. */
  public Tensor tensor(int index) {
    return tensors.get(index);
  }

  /** Counts tokens that the tensors have taken in. */
  public void advance(int tokens) {
    length += tokens;
  }

  @Override
  public long length() {
    return length;
  }

  @Override
  public void snapshot() {
    if (length == 0) {
      return; // an empty sequence needs no memory to return to
    }
    snapshots.removeIf(snapshot -> snapshot.length == length && closed(snapshot));
    if (snapshots.size() == MAX_SNAPSHOTS) {
      snapshots.removeFirst().arena.close();
    }
    Arena owner = Arena.ofShared();
    MemorySegment bytes = owner.allocate(all.byteSize(), Tensor.ALIGNMENT_BYTES);
    device.download(all, bytes);
    snapshots.addLast(new Snapshot(length, owner, bytes));
  }

  private static boolean closed(Snapshot snapshot) {
    snapshot.arena.close();
    return true;
  }

  @Override
  public Truncation truncateTo(long target) {
    if (target == length) {
      return new Truncation.Done();
    }
    if (target == 0) {
      reset();
      return new Truncation.Done();
    }
    long nearest = 0;
    for (Snapshot snapshot : snapshots) {
      if (snapshot.length == target) {
        device.upload(snapshot.bytes, all);
        length = target;
        snapshots.removeIf(later -> later.length > target && closed(later));
        return new Truncation.Done();
      }
      if (snapshot.length < target) {
        nearest = Math.max(nearest, snapshot.length);
      }
    }
    return new Truncation.Refused(
        "the recurrence "
            + id
            + " holds "
            + length
            + " tokens in one state and cannot go back to "
            + target
            + "; its snapshots are at "
            + snapshots.stream().map(Snapshot::length).toList()
            + ": take one where you want to return to, or compute the tokens from "
            + nearest
            + " on again",
        nearest);
  }

  /** An independent copy with its own snapshots. */
  @Override
  public LayerState fork() {
    RecurrentState copy = new RecurrentState(id, device, shapes);
    try (Arena temporary = Arena.ofConfined()) {
      MemorySegment bytes = temporary.allocate(all.byteSize(), Tensor.ALIGNMENT_BYTES);
      device.download(all, bytes);
      device.upload(bytes, copy.all);
    }
    copy.length = length;
    for (Snapshot snapshot : snapshots) {
      Arena owner = Arena.ofShared();
      MemorySegment bytes = owner.allocate(all.byteSize(), Tensor.ALIGNMENT_BYTES);
      bytes.copyFrom(snapshot.bytes);
      copy.snapshots.addLast(new Snapshot(snapshot.length, owner, bytes));
    }
    return copy;
  }

  /** Id, version, tokens and bytes, little-endian, then the tensors; snapshots are not saved. */
  @Override
  public void save(WritableByteChannel channel) throws IOException {
    ByteBuffer header = ByteBuffer.allocate(HEADER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    header.put(id.getBytes(StandardCharsets.US_ASCII)).position(ID_BYTES);
    header.putInt(VERSION).putLong(length).putLong(all.byteSize()).flip();
    try (Arena temporary = Arena.ofConfined()) {
      MemorySegment bytes = temporary.allocate(all.byteSize(), Tensor.ALIGNMENT_BYTES);
      device.download(all, bytes);
      StateBytes.write(header, channel);
      for (long at = 0; at < bytes.byteSize(); at += 1 << 20) {
        StateBytes.write(slice(bytes, at).asByteBuffer(), channel);
      }
    }
  }

  private static MemorySegment slice(MemorySegment bytes, long at) {
    return bytes.asSlice(at, Math.min(1 << 20, bytes.byteSize() - at));
  }

  @Override
  public void load(ReadableByteChannel channel) throws IOException {
    reset();
    ByteBuffer header = ByteBuffer.allocate(HEADER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    StateBytes.read(header, channel);
    header.flip();
    byte[] name = new byte[ID_BYTES];
    header.get(name);
    String saved = new String(name, StandardCharsets.US_ASCII).stripTrailing().replace("\0", "");
    int version = header.getInt();
    long tokens = header.getLong();
    long size = header.getLong();
    if (!saved.equals(id) || version != VERSION || size != all.byteSize() || tokens < 0) {
      throw new IOException(
          "the saved state is of '"
              + saved
              + "' version "
              + version
              + " with "
              + size
              + " bytes where '"
              + id
              + "' version "
              + VERSION
              + " with "
              + all.byteSize()
              + " bytes is expected");
    }
    try (Arena temporary = Arena.ofConfined()) {
      MemorySegment bytes = temporary.allocate(size, Tensor.ALIGNMENT_BYTES);
      for (long at = 0; at < size; at += 1 << 20) {
        StateBytes.read(slice(bytes, at).asByteBuffer(), channel);
      }
      device.upload(bytes, all);
    }
    length = tokens;
  }

  @Override
  public long bytes() {
    return all.byteSize() * (1 + snapshots.size());
  }

  @Override
  public void reset() {
    try (Arena temporary = Arena.ofConfined()) {
      device.upload(temporary.allocate(all.byteSize(), Tensor.ALIGNMENT_BYTES), all);
    }
    length = 0;
    forget();
  }

  private void forget() {
    snapshots.forEach(snapshot -> snapshot.arena.close());
    snapshots.clear();
  }

  @Override
  public void close() {
    forget();
    arena.close();
  }
}
