package io.attention4j.sparse;

import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.KvUsage;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.Truncation;
import io.attention4j.engine.tensor.Tensor;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;

/**
 * Makes views of one cache for several operators on the same sequence. Who owns the cache appends,
 * cuts, saves and closes it before the operators see the step; a view does nothing of that.
 */
final class SharedCaches implements KvCache.Factory {
  private final KvCache.Factory owners;
  private KvCache shared;

  SharedCaches(KvCache.Factory owners) {
    this.owners = owners;
  }

  /** A cache for the owner. */
  KvCache createOwned(LayerShape shape) {
    return owners.create(shape);
  }

  /** The cache whose views {@link #create} makes from now on. */
  void share(KvCache cache) {
    shared = cache;
  }

  @Override
  public KvFormat keyFormat() {
    return owners.keyFormat();
  }

  @Override
  public KvFormat valueFormat() {
    return owners.valueFormat();
  }

  @Override
  public KvCache create(LayerShape shape) {
    return new View(shared);
  }

  @Override
  public long bytes(LayerShape shape, long tokens) {
    return owners.bytes(shape, tokens);
  }

  @Override
  public KvUsage usage() {
    return owners.usage();
  }

  private record View(KvCache shared) implements KvCache {
    @Override
    public long length() {
      return shared.length();
    }

    @Override
    public void append(Tensor k, Tensor v, int row, int count) {
      // The owner has appended them.
    }

    @Override
    public void fill(PagedKv table, int sequence) {
      shared.fill(table, sequence);
    }

    @Override
    public Truncation truncateTo(long length) {
      return new Truncation.Done(); // the owner has cut it
    }

    @Override
    public KvCache fork() {
      throw ownersOnly();
    }

    @Override
    public void save(WritableByteChannel channel) {
      throw ownersOnly();
    }

    @Override
    public void load(ReadableByteChannel channel) {
      throw ownersOnly();
    }

    private static IllegalStateException ownersOnly() {
      return new IllegalStateException("a view of a cache is not copied; its owner is");
    }

    @Override
    public long bytes() {
      return 0;
    }

    @Override
    public void close() {
      // The owner closes it.
    }
  }
}
