package io.attention4j.engine.recurrent.operator;

import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.StateBytes;
import io.attention4j.engine.operator.Truncation;
import io.attention4j.engine.recurrent.layer.SequenceLayer;
import io.attention4j.engine.recurrent.layer.SequenceState;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;

/**
 * A {@link SequenceState} as the state of a decoder's layer. As {@code RecurrentState} it goes back
 * to an empty sequence or one of its last {@value #MAX_SNAPSHOTS} snapshots, and refuses any other
 * length; those are not saved.
 */
final class SequenceLayerState implements LayerState {
  private static final int MAX_SNAPSHOTS = 4;
  private static final int VERSION = 1;
  private static final int ID_BYTES = 32;
  private static final int HEADER_BYTES = ID_BYTES + 2 * Integer.BYTES + Long.BYTES;
  private static final int PIECE_BYTES = 1 << 16;
  // Far above any sequence; keeps products of lengths from overflowing.
  private static final long MOST_TOKENS = 1L << 40;

  private final String id;
  private final SequenceLayer layer;
  private final SequenceState sequence;
  private final Deque<SequenceState> snapshots = new ArrayDeque<>();

  SequenceLayerState(String id, SequenceLayer layer) {
    this.id = id;
    this.layer = layer;
    this.sequence = layer.newState();
  }

  /** What the layer runs on. */
  SequenceState sequence() {
    return sequence;
  }

  @Override
  public long length() {
    return sequence.tokens();
  }

  private SequenceState copy(SequenceState of) {
    SequenceState copy = layer.newState();
    copy.set(of);
    return copy;
  }

  @Override
  public LayerState fork() {
    SequenceLayerState copy = new SequenceLayerState(id, layer);
    copy.sequence.set(sequence);
    snapshots.forEach(snapshot -> copy.snapshots.addLast(copy(snapshot)));
    return copy;
  }

  @Override
  public void snapshot() {
    if (length() == 0) {
      return; // an empty sequence needs no memory to return to
    }
    snapshots.removeIf(snapshot -> snapshot.tokens() == length());
    if (snapshots.size() == MAX_SNAPSHOTS) {
      snapshots.removeFirst();
    }
    snapshots.addLast(copy(sequence));
  }

  @Override
  public Truncation truncateTo(long target) {
    if (target == length()) {
      return new Truncation.Done();
    }
    if (target == 0) {
      reset();
      return new Truncation.Done();
    }
    long nearest = 0;
    for (SequenceState snapshot : snapshots) {
      if (snapshot.tokens() == target) {
        sequence.set(snapshot);
        snapshots.removeIf(later -> later.tokens() > target);
        return new Truncation.Done();
      }
      if (snapshot.tokens() < target) {
        nearest = Math.max(nearest, snapshot.tokens());
      }
    }
    return new Truncation.Refused(
        "'"
            + id
            + "' holds "
            + length()
            + " tokens in one state and cannot go back to "
            + target
            + "; its snapshots are at "
            + snapshots.stream().map(SequenceState::tokens).toList()
            + ": take one where you want to return to, or compute the tokens from "
            + nearest
            + " on again",
        nearest);
  }

  /** Id, version, arrays and tokens, little-endian, then every array's length and elements. */
  @Override
  public void save(WritableByteChannel channel) throws IOException {
    double[][] values = sequence.values();
    ByteBuffer header = ByteBuffer.allocate(HEADER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    header.put(id.getBytes(StandardCharsets.US_ASCII)).position(ID_BYTES);
    header.putInt(VERSION).putInt(values.length).putLong(length()).flip();
    StateBytes.write(header, channel);
    ByteBuffer piece = ByteBuffer.allocate(PIECE_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    for (double[] array : values) {
      piece.clear().putLong(array.length);
      for (double value : array) {
        if (!piece.hasRemaining()) {
          StateBytes.write(piece.flip(), channel);
          piece.clear();
        }
        piece.putDouble(value);
      }
      StateBytes.write(piece.flip(), channel);
    }
  }

  @Override
  public void load(ReadableByteChannel channel) throws IOException {
    reset();
    ByteBuffer header = read(HEADER_BYTES, channel);
    byte[] name = new byte[ID_BYTES];
    header.get(name);
    String saved = new String(name, StandardCharsets.US_ASCII).replace("\0", "");
    int version = header.getInt();
    int arrays = header.getInt();
    long tokens = header.getLong();
    if (!saved.equals(id) || version != VERSION || tokens < 0 || tokens > MOST_TOKENS) {
      throw new IOException(
          "the saved state is of '"
              + saved
              + "' version "
              + version
              + " with "
              + tokens
              + " tokens where '"
              + id
              + "' version "
              + VERSION
              + " is expected");
    }
    long[] lengths = layer.lengths(tokens);
    if (arrays != lengths.length) {
      throw new IOException(
          "the saved state has " + arrays + " arrays where " + lengths.length + " are expected");
    }
    double[][] values = new double[arrays][];
    for (int i = 0; i < arrays; i++) {
      long length = read(Long.BYTES, channel).getLong();
      if (length != lengths[i] || length > Integer.MAX_VALUE - 8) {
        throw new IOException(
            "array "
                + i
                + " of the saved state has "
                + length
                + " elements where a state of "
                + tokens
                + " tokens has "
                + lengths[i]);
      }
      values[i] = doubles((int) length, channel);
    }
    sequence.set(tokens, values);
  }

  /** Grows with what there is, so that a short file with a large number takes no memory. */
  private static double[] doubles(int length, ReadableByteChannel channel) throws IOException {
    double[] values = new double[0];
    int most = PIECE_BYTES / Double.BYTES;
    for (int from = 0; from < length; from += most) {
      int count = Math.min(most, length - from);
      ByteBuffer piece = read(count * Double.BYTES, channel);
      if (values.length < from + count) {
        values = Arrays.copyOf(values, Math.min(length, Math.max(from + count, 2 * from)));
      }
      piece.asDoubleBuffer().get(values, from, count);
    }
    return values;
  }

  private static ByteBuffer read(int bytes, ReadableByteChannel channel) throws IOException {
    ByteBuffer target = ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    StateBytes.read(target, channel);
    return target.flip();
  }

  @Override
  public long bytes() {
    long elements = sequence.elements();
    for (SequenceState snapshot : snapshots) {
      elements += snapshot.elements();
    }
    return elements * Double.BYTES;
  }

  @Override
  public void reset() {
    sequence.set(layer.newState());
    snapshots.clear();
  }

  @Override
  public void close() {
    snapshots.clear();
  }
}
