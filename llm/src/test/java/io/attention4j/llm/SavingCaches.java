package io.attention4j.llm;

import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.KvCacheContext;
import io.attention4j.engine.operator.KvUsage;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.Truncation;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.loading.CacheFactories;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;

/** Ordinary caches that call a hook before every piece of bytes that they save. */
final class SavingCaches implements KvCache.Factory {
  /** Called before a piece is written, with the bytes that all layers saved so far. */
  @FunctionalInterface
  interface Hook {
    void beforePiece(long savedBytes) throws IOException;
  }

  private final KvCache.Factory factory;
  private final Hook hook;
  private long saved;

  SavingCaches(String option, KvCacheContext context, Hook hook) {
    factory = CacheFactories.create(option, context);
    this.hook = hook;
  }

  @Override
  public KvFormat keyFormat() {
    return factory.keyFormat();
  }

  @Override
  public KvFormat valueFormat() {
    return factory.valueFormat();
  }

  @Override
  public KvCache create(LayerShape shape) {
    return new Saving(factory.create(shape));
  }

  @Override
  public long bytes(LayerShape shape, long tokens) {
    return factory.bytes(shape, tokens);
  }

  @Override
  public KvUsage usage() {
    return factory.usage();
  }

  private final class Saving implements KvCache {
    private final KvCache cache;

    Saving(KvCache cache) {
      this.cache = cache;
    }

    @Override
    public void save(WritableByteChannel channel) throws IOException {
      cache.save(
          new WritableByteChannel() {
            @Override
            public int write(ByteBuffer source) throws IOException {
              hook.beforePiece(saved);
              int bytes = channel.write(source);
              saved += bytes;
              return bytes;
            }

            @Override
            public boolean isOpen() {
              return channel.isOpen();
            }

            @Override
            public void close() throws IOException {
              channel.close();
            }
          });
    }

    @Override
    public long length() {
      return cache.length();
    }

    @Override
    public void append(Tensor k, Tensor v, int row, int count) {
      cache.append(k, v, row, count);
    }

    @Override
    public void fill(PagedKv table, int sequence) {
      cache.fill(table, sequence);
    }

    @Override
    public KvCache fork() {
      return new Saving(cache.fork());
    }

    @Override
    public Truncation truncateTo(long length) {
      return cache.truncateTo(length);
    }

    @Override
    public void load(ReadableByteChannel channel) throws IOException {
      cache.load(channel);
    }

    @Override
    public long bytes() {
      return cache.bytes();
    }

    @Override
    public void close() {
      cache.close();
    }
  }
}
