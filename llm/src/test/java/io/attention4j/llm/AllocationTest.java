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
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The forward pass and sampling allocate nothing per token, kernels and the text of a token left
 * out: those are tested where they are made, and vector code allocates until it is compiled.
 */
class AllocationTest {
  private static final int TOKENS = 4;

  @TempDir Path folder;

  @Test
  void aTokenAllocatesNothing() throws IOException {
    Path file = TinyGgufModel.write(TinySpec.of("gemma2"), folder.resolve("model.gguf"));
    LoadOptions options =
        LoadOptions.builder().kernels(NoOpKernels.ID).kvCache("contiguous+f32").build();
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    try (LanguageModel model = LanguageModel.load(file, options);
        Session session = model.newSession()) {
      float[] row = new float[TinySpec.VOCABULARY];
      Sampler sampler = new Sampler(SamplingOptions.builder().build(), row.length);
      long best = Long.MAX_VALUE;
      // The JVM allocates on this thread while it compiles, so the best of many rounds counts.
      for (int round = 0; round < 400 && best > 0; round++) {
        session.rewind(0);
        session.append(1, 2, 3);
        long before = threads.getCurrentThreadAllocatedBytes();
        for (int i = 0; i < TOKENS; i++) {
          session.copyLogits(row);
          session.appendToken(sampler.next(row), 0);
        }
        best = Math.min(best, threads.getCurrentThreadAllocatedBytes() - before);
      }
      assertEquals(0, best, "bytes allocated by " + TOKENS + " tokens");
    }
  }
}
