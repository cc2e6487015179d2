package io.attention4j.kvcache;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.LayerInputs;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.Truncation;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.KvWriteKernel;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kvcache.policy.Decision;
import io.attention4j.kvcache.policy.KvEntries;
import io.attention4j.kvcache.policy.KvPolicy;
import io.attention4j.kvcache.policy.ObservedRows;
import io.attention4j.kvcache.policy.PolicyState;
import java.io.IOException;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.util.BitSet;

/**
 * A cache in which every KV head keeps the tokens that a policy leaves it, in pages of its own;
 * what is dropped is freed. The policy decides after a step's attention: at the end of a prompt,
 * and while decoding as often as it asks.
 */
final class RaggedKvCache implements KvCache {
  /**
   * What the caches of one layer shape share.
   *
   * @param pool pages of {@code layout}
   * @param summaryPool pages of one slot
   */
  record Room(
      Device device,
      KvWriteKernel writer,
      PagePool pool,
      PageLayout layout,
      PagePool summaryPool,
      LayerShape shape,
      KvPolicy policy) {}

  private final Room room;
  private final HeadEntries[] heads;
  private final Summaries summaries;
  private final View view = new View();
  private final SlotReader reader;
  private final ObservedRows rows;
  private final Decision decision;
  private PolicyState state;
  private int length;

  /** Tokens at the last time something was dropped: there is no way back behind it. */
  private int droppedAt;

  /** Tokens decoded since the policy decided. */
  private int undecided;

  private boolean inPrompt;
  private boolean unattended;
  private boolean closed;

  RaggedKvCache(Room room) {
    this(room, new HeadEntries[room.shape().kvHeads()], null);
    for (int head = 0; head < heads.length; head++) {
      heads[head] = new HeadEntries(room.device(), room.pool(), room.layout());
    }
    state = room.policy().open(room.shape());
  }

  private RaggedKvCache(Room room, HeadEntries[] heads, Summaries summaries) {
    this.room = room;
    this.heads = heads;
    this.summaries =
        summaries != null
            ? summaries
            : new Summaries(
                room.device(), room.writer(), room.summaryPool(), room.layout(), heads.length);
    reader = new SlotReader(room.device());
    rows = new ObservedRows(room.device());
    decision = new Decision(heads.length);
  }

  @Override
  public long length() {
    return length;
  }

  @Override
  public void append(Tensor k, Tensor v, int row, int count) {
    requireOpen();
    KvRoom.require(length, count, room.shape().maxPositions());
    if (unattended) {
      throw new IllegalStateException(
          "KV policy '"
              + room.policy().id()
              + "' was not told of the attention of the last step; this attention operator does not"
              + " work with caches that drop tokens, use softmax or the policy 'full'");
    }
    int done = 0;
    try {
      for (; done < heads.length; done++) {
        heads[done].append(room.writer(), k, v, row, count, done, length);
      }
    } finally {
      if (done < heads.length) {
        for (int head = 0; head < done; head++) {
          heads[head].shrink(heads[head].count() - count);
        }
      }
    }
    length += count;
    unattended = count > 0;
  }

  @Override
  public void attended(LayerInputs in, int sequence, Tensor lse) {
    requireOpen();
    unattended = false;
    AttentionBatch batch = in.batch();
    int count = batch.rows(sequence);
    boolean continued = batch.continued(sequence);
    rows.of(
        in.q(),
        lse,
        in.rope(),
        batch.firstRow(sequence),
        count,
        batch.firstPosition(sequence),
        continued,
        batch.lookahead(sequence));
    state.observe(rows, view);
    boolean prompt = inPrompt || count > 1;
    inPrompt = continued;
    if (continued || count == 0) {
      return;
    }
    undecided++;
    int interval = room.policy().interval();
    if (prompt || interval > 0 && undecided >= interval) {
      undecided = 0;
      decide(prompt);
    }
  }

  private void decide(boolean promptEnds) {
    decision.clear();
    state.decide(view, promptEnds, decision);
    for (int head = 0; head < heads.length; head++) {
      BitSet drops = decision.drops(head);
      if (!drops.isEmpty()) {
        droppedAt = decision.asOfOr(length);
        heads[head].drop(drops);
      }
      if (decision.summary(head) != null) {
        droppedAt = decision.asOfOr(length);
        summaries.set(head, decision.summary(head));
      }
    }
  }

  @Override
  public void fill(PagedKv table, int sequence) {
    requireOpen();
    for (int head = 0; head < heads.length; head++) {
      heads[head].fill(table, sequence, head, summaries.page(head));
    }
  }

  @Override
  public KvCache fork() {
    requireOpen();
    HeadEntries[] copies = new HeadEntries[heads.length];
    for (int head = 0; head < heads.length; head++) {
      copies[head] = heads[head].fork();
    }
    RaggedKvCache copy = new RaggedKvCache(room, copies, summaries.fork());
    copy.state = state.fork();
    copy.length = length;
    copy.droppedAt = droppedAt;
    copy.undecided = undecided;
    copy.inPrompt = inPrompt;
    copy.unattended = unattended;
    return copy;
  }

  @Override
  public Truncation truncateTo(long newLength) {
    requireOpen();
    KvRoom.requireTruncation(newLength, length);
    if (newLength == length) {
      unattended = false;
      return new Truncation.Done();
    }
    if (newLength > 0 && (newLength < droppedAt || !state.rewind(newLength))) {
      return new Truncation.Refused(
          "KV policy '"
              + room.policy().id()
              + "' has dropped tokens since the first "
              + newLength
              + "; they must be computed again",
          0);
    }
    for (HeadEntries head : heads) {
      head.truncateTo(newLength);
    }
    undecided = (int) Math.max(0, undecided - (length - newLength));
    length = (int) newLength;
    unattended = false;
    inPrompt = false;
    if (newLength == 0) {
      summaries.clear();
      droppedAt = 0;
      undecided = 0;
      state = room.policy().open(room.shape());
    }
    return new Truncation.Done();
  }

  @Override
  public void save(WritableByteChannel channel) throws IOException {
    requireOpen();
    if (inPrompt || unattended) {
      throw new IOException("a KV cache with a policy cannot be saved in the middle of a prompt");
    }
    RaggedSnapshot.save(channel, this);
  }

  @Override
  public void load(ReadableByteChannel channel) throws IOException {
    truncateTo(0);
    boolean whole = false;
    try {
      RaggedSnapshot.load(channel, this);
      whole = true;
    } finally {
      if (!whole) {
        truncateTo(0);
      }
    }
  }

  Room room() {
    return room;
  }

  HeadEntries head(int head) {
    return heads[head];
  }

  Summaries summaries() {
    return summaries;
  }

  PolicyState state() {
    return state;
  }

  int droppedAt() {
    return droppedAt;
  }

  int undecided() {
    return undecided;
  }

  /** Sets the counters of a loaded cache. */
  void counters(int newLength, int newDroppedAt, int newUndecided) {
    length = newLength;
    droppedAt = newDroppedAt;
    undecided = newUndecided;
  }

  @Override
  public long bytes() {
    long bytes = summaries.bytes() + (state == null ? 0 : state.bytes());
    for (HeadEntries head : heads) {
      bytes += head.bytes();
    }
    return bytes;
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException("this KV cache is closed");
    }
  }

  @Override
  public void close() {
    if (!closed) {
      for (HeadEntries head : heads) {
        head.shrink(0);
      }
      summaries.close();
      closed = true;
    }
  }

  private final class View implements KvEntries {
    @Override
    public int kvHeads() {
      return heads.length;
    }

    @Override
    public long length() {
      return length;
    }

    @Override
    public int count(int kvHead) {
      return heads[kvHead].count();
    }

    @Override
    public long position(int kvHead, int entry) {
      return heads[kvHead].position(entry);
    }

    @Override
    public void key(int kvHead, int entry, float[] target) {
      reader.key(heads[kvHead].page(entry), heads[kvHead].slot(entry), target);
    }

    @Override
    public void value(int kvHead, int entry, float[] target) {
      reader.value(heads[kvHead].page(entry), heads[kvHead].slot(entry), target);
    }

    @Override
    public float score(int kvHead, int entry) {
      return heads[kvHead].score(entry);
    }

    @Override
    public void score(int kvHead, int entry, float value) {
      heads[kvHead].score(entry, value);
    }
  }
}
