package io.attention4j.sparse;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.Truncation;
import io.attention4j.engine.tensor.Storage;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.sparse.OperatorRun.Data;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.util.BitSet;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * A cache that keeps its past elsewhere serves operators that choose blocks: what they read, they
 * fetch. All but the last tokens are NaN here until they are fetched, and again when more come.
 */
class FarBlocksTest {
  private static final int TOKENS = 299;

  /** Tokens that stay near: what the methods derive from keys, they derive when keys are new. */
  private static final int NEAR = 24;

  @ParameterizedTest
  @CsvSource({
    "landmark:block=8;k=2, 0.25",
    "landmark:block=8;k=2;retrieval=chunk, 0.25",
    "landmark:block=8;k=2;stingy=true, 0.25",
    "landmark:block=8;k=3;retrieval=heads, 0.25",
    "nosa:gate=gates;block=8;kernel=4;stride=2;local=1;query=3;k=8, 0.3",
    "seer-decode:gate=gates;block=8;budget=24, 0.25",
    "block-topk:block=8;k=3, 0.25",
    "quest:page=8;tokens=40;dense=0, 0.3",
    "sink-window:sinks=4;tokens=20, 1.0"
  })
  void whatAStepReadsIsFetchedBefore(String option, double mostOfAll) {
    Data data = Data.random(TOKENS, 6);
    FarCaches far = new FarCaches();
    try (OperatorRun near = new OperatorRun("cpu.simd", option, new Mask.Causal(), "contiguous+f32");
        OperatorRun run = new OperatorRun("cpu.simd", option, far, TestWeights.gates());
        LayerState nearState = near.layer.newState();
        LayerState state = run.layer.newState()) {
      assertArrayEquals(near.step(nearState, data, 0, 200), run.step(state, data, 0, 200));
      far.fetched = 0;
      for (int token = 200; token < TOKENS; token++) {
        assertArrayEquals(near.step(nearState, data, token, 1), run.step(state, data, token, 1));
      }
      double ofAll = (double) far.fetched / OperatorRun.KV_HEADS / 99 / 250;
      assertTrue(ofAll > 0 && ofAll < mostOfAll, "fetched " + ofAll + " of all tokens");
    }
  }

  /** Makes caches whose past is elsewhere. */
  private static final class FarCaches implements OperatorRun.Caches {
    private long fetched; // tokens, KV heads apart

    @Override
    public KvCache.Factory of(KvCache.Factory caches) {
      return new KvCache.Factory() {
        @Override
        public KvFormat keyFormat() {
          return caches.keyFormat();
        }

        @Override
        public KvFormat valueFormat() {
          return caches.valueFormat();
        }

        @Override
        public KvCache create(LayerShape shape) {
          return new FarCache(caches.create(shape));
        }

        @Override
        public long bytes(LayerShape shape, long tokens) {
          return caches.bytes(shape, tokens);
        }
      };
    }

    private final class FarCache implements KvCache {
      private final KvCache cache;
      private final BitSet[] near = {new BitSet(), new BitSet()};
      private final float[][] keys = new float[OperatorRun.KV_HEADS][];
      private final float[][] values = new float[OperatorRun.KV_HEADS][];

      FarCache(KvCache cache) {
        this.cache = cache;
        for (int h = 0; h < keys.length; h++) {
          keys[h] = new float[TOKENS * OperatorRun.HEAD_DIM];
          values[h] = new float[TOKENS * OperatorRun.HEAD_DIM];
        }
      }

      @Override
      public long length() {
        return cache.length();
      }

      @Override
      public void append(Tensor k, Tensor v, int row, int count) {
        int first = (int) cache.length();
        cache.append(k, v, row, count);
        for (int h = 0; h < keys.length; h++) {
          for (int i = 0; i < count; i++) {
            copy(k, row + i, h, keys[h], first + i);
            copy(v, row + i, h, values[h], first + i);
          }
          near[h].clear();
          near[h].set(Math.max(0, first + count - Math.max(count, NEAR)), first + count);
        }
      }

      private void copy(Tensor from, int row, int head, float[] to, int token) {
        int dim = OperatorRun.HEAD_DIM;
        long at = ((long) row * OperatorRun.KV_HEADS + head) * dim * Float.BYTES;
        MemorySegment.copy(from.segment(), Tensor.FLOAT, at, to, token * dim, dim);
      }

      @Override
      public boolean fetch(int kvHead, int blockTokens, BitSet blocks) {
        blocks.stream()
            .forEach(
                b -> {
                  int end = (int) Math.min(cache.length(), (b + 1L) * blockTokens);
                  near[kvHead].set(b * blockTokens, end);
                  fetched += end - b * blockTokens;
                });
        return true;
      }

      /** Enters the pages, with NaN for all that is not near. */
      @Override
      public void fill(PagedKv table, int sequence) {
        cache.fill(table, sequence);
        for (int h = 0; h < keys.length; h++) {
          int token = 0;
          for (int p = 0; p < table.pageCount(sequence, h); p++) {
            KvPage page = table.page(sequence, h, p);
            for (int slot = 0; slot < page.length(); slot++, token++) {
              put(page.keys(), page.keyOffset(), slot, h, keys[h], token);
              put(page.values(), page.valueOffset(), slot, h, values[h], token);
            }
          }
        }
      }

      private void put(Storage storage, long at, int slot, int head, float[] from, int token) {
        int dim = OperatorRun.HEAD_DIM;
        MemorySegment memory = ((Storage.Host) storage).segment();
        for (int d = 0; d < dim; d++) {
          memory.set(
              Tensor.FLOAT,
              at + ((long) slot * dim + d) * Float.BYTES,
              near[head].get(token) ? from[token * dim + d] : Float.NaN);
        }
      }

      @Override
      public KvCache fork() {
        return cache.fork();
      }

      @Override
      public Truncation truncateTo(long length) {
        return cache.truncateTo(length);
      }

      @Override
      public void save(WritableByteChannel channel) throws IOException {
        cache.save(channel);
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
}
