package io.attention4j.llm;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.sun.management.ThreadMXBean;
import io.attention4j.llm.sampling.Sampler;
import io.attention4j.llm.sampling.SamplingOptions;
import io.attention4j.llm.tiny.NoOpKernels;
import io.attention4j.llm.tiny.TinyGgufModel;
import io.attention4j.llm.tiny.TinySpec;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The forward pass and sampling allocate nothing per token once they are compiled: without kernels,
 * and with those of a CPU. The text of a token is left out.
 */
class AllocationTest {
  private static final int TOKENS = 4;
  private static final int LEAST_ROUNDS = 400;
  private static final long PATIENCE_NANOS = TimeUnit.MINUTES.toNanos(3);

  @TempDir Path folder;

  @ParameterizedTest
  @CsvSource({
    NoOpKernels.ID + ", contiguous+f32",
    "cpu.scalar, contiguous+f16",
    "cpu.scalar, paged+f16",
    "cpu.simd, contiguous+f16",
    "cpu.simd, paged+f16"
  })
  void aTokenAllocatesNothing(String kernels, String kvCache) throws IOException {
    Path file = TinyGgufModel.write(TinySpec.of("gemma2"), folder.resolve("model.gguf"));
    LoadOptions options =
        LoadOptions.builder().kernels(kernels).kvCache(kvCache).threads(1).build();
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    try (LanguageModel model = LanguageModel.load(file, options);
        Session session = model.newSession()) {
      float[] row = new float[TinySpec.VOCABULARY];
      Sampler sampler = new Sampler(SamplingOptions.builder().build(), row.length);
      long best = Long.MAX_VALUE;
      // The JVM allocates on this thread while it compiles, and vectors are boxed until C2 has
      // compiled their loops, which a busy machine delays; so the best of many rounds counts.
      long end = System.nanoTime() + PATIENCE_NANOS;
      for (int round = 0; best > 0 && (round < LEAST_ROUNDS || System.nanoTime() < end); round++) {
        session.rewind(0);
        session.append(1, 2, 3);
        long before = threads.getCurrentThreadAllocatedBytes();
        for (int i = 0; i < TOKENS; i++) {
          session.copyLogits(row);
          session.appendToken(sampler.next(row), 0);
        }
        best = Math.min(best, threads.getCurrentThreadAllocatedBytes() - before);
      }
      assertEquals(0, best, "bytes allocated by " + TOKENS + " tokens on " + kernels);
    }
  }
}
