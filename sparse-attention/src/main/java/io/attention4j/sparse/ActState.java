package io.attention4j.sparse;

import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.Truncation;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.util.Arrays;
import java.util.BitSet;

/**
 * What calibrated attention remembers of a sequence: keys and values; for every calibrated head the
 * sum of each key's weights over the rows that counted, and the sinks found; and which rows
 * counted.
 */
final class ActState implements LayerState {
  private final KvCache cache;
  private final double[][] columnSums; // [calibrated head][key]
  private final BitSet[] sinks; // [calibrated head]
  private int[] countedBefore = new int[1]; // [position]: rows before it that counted

  /** Whether the step before was part of a prompt that goes on. */
  private boolean inPrompt;

  ActState(KvCache cache, int calibratedHeads) {
    this.cache = cache;
    columnSums = new double[calibratedHeads][0];
    sinks = new BitSet[calibratedHeads];
    Arrays.setAll(sinks, head -> new BitSet());
  }

  KvCache cache() {
    return cache;
  }

  /** Weights summed by key, at least as many as tokens. */
  double[] columnSums(int head) {
    return columnSums[head];
  }

  BitSet sinks(int head) {
    return sinks[head];
  }

  boolean inPrompt() {
    return inPrompt;
  }

  void inPrompt(boolean continued) {
    inPrompt = continued;
  }

  /** Takes note of rows that the cache has just got. */
  void rows(long firstPosition, int rows, boolean counted) {
    int end = Math.toIntExact(firstPosition + rows);
    if (countedBefore.length <= end) {
      countedBefore = Arrays.copyOf(countedBefore, 2 * end + 1);
      for (int head = 0; head < columnSums.length; head++) {
        columnSums[head] = Arrays.copyOf(columnSums[head], 2 * end);
      }
    }
    for (int at = (int) firstPosition; at < end; at++) {
      countedBefore[at + 1] = countedBefore[at] + (counted ? 1 : 0);
    }
  }

  /** Rows of positions [from, to) that counted. */
  int counted(long from, long to) {
    return countedBefore[(int) to] - countedBefore[(int) from];
  }

  @Override
  public long length() {
    return cache.length();
  }

  @Override
  public LayerState fork() {
    ActState copy = new ActState(cache.fork(), sinks.length);
    for (int head = 0; head < sinks.length; head++) {
      copy.columnSums[head] = columnSums[head].clone();
      copy.sinks[head].or(sinks[head]);
    }
    copy.countedBefore = countedBefore.clone();
    copy.inPrompt = inPrompt;
    return copy;
  }

  @Override
  public Truncation truncateTo(long length) {
    if (length > 0 && length < length() && counted(length, length()) > 0) {
      return new Truncation.Refused(
          "attention 'act' cannot take back the weights of the rows after the first " + length, 0);
    }
    Truncation truncation = cache.truncateTo(length);
    if (cache.length() == 0) {
      for (int head = 0; head < sinks.length; head++) {
        columnSums[head] = new double[0];
        sinks[head].clear();
      }
      countedBefore = new int[1];
    }
    inPrompt = false;
    return truncation;
  }

  @Override
  public void save(WritableByteChannel channel) throws IOException {
    cache.save(channel);
    DataOutputStream out = new DataOutputStream(Channels.newOutputStream(channel));
    int length = Math.toIntExact(length());
    for (int at = 1; at <= length; at++) {
      out.writeBoolean(countedBefore[at] > countedBefore[at - 1]);
    }
    for (int head = 0; head < sinks.length; head++) {
      for (int key = 0; key < length; key++) {
        out.writeDouble(columnSums[head][key]);
        out.writeBoolean(sinks[head].get(key));
      }
    }
    out.flush();
  }

  @Override
  public void load(ReadableByteChannel channel) throws IOException {
    reset();
    boolean whole = false;
    try {
      cache.load(channel);
      read(new DataInputStream(Channels.newInputStream(channel)));
      whole = true;
    } finally {
      if (!whole) {
        reset();
      }
    }
  }

  private void read(DataInputStream in) throws IOException {
    int length = Math.toIntExact(length());
    for (int at = 0; at < length; at++) {
      rows(at, 1, in.readBoolean());
    }
    for (int head = 0; head < sinks.length; head++) {
      for (int key = 0; key < length; key++) {
        double sum = in.readDouble();
        if (!(sum >= 0)) {
          throw new IOException("the weights on a key cannot sum to " + sum);
        }
        columnSums[head][key] = sum;
        sinks[head].set(key, in.readBoolean());
      }
    }
  }

  @Override
  public long bytes() {
    long bytes = cache.bytes() + (long) Integer.BYTES * (countedBefore.length - 1);
    for (double[] sums : columnSums) {
      bytes += (long) Double.BYTES * sums.length;
    }
    return bytes;
  }

  @Override
  public void reset() {
    if (truncateTo(0) instanceof Truncation.Refused refused) {
      throw new IllegalStateException("a cache must be able to empty itself: " + refused.reason());
    }
  }

  @Override
  public void close() {
    cache.close();
  }
}
