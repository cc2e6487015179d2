package io.attention4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The operators of sparse-attention in the decoder, by option. */
class SparseAttentionTest {
  private static final String PROMPT =
      "ROMEO:\nWhat light is that which breaks through yonder window? It is the east, and Juliet"
          + " is the sun. Arise, fair sun, and kill the envious moon, who is already sick.\n";

  private static String generate(String attention, String... more) {
    String[] args = {
      "generate", "-p", PROMPT, "-n", "16", "--temperature", "0", "--attention", attention
    };
    String[] all = Arrays.copyOf(args, args.length + more.length);
    System.arraycopy(more, 0, all, args.length, more.length);
    Run run = Run.of(all);
    assertEquals(0, run.status(), run.err());
    return run.out();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "window:tokens=1024",
        "sink-window:sinks=4;tokens=1024",
        "longformer:tokens=1024;globals=2",
        "bigbird:block=16;window=64",
        "block-topk:block=16;k=64",
        "block-topk:block=16;k=64;strict=true",
        "hyper:min=1024",
        "hyper:min=8;block=1024",
        "routing:clusters=1;tokens=1024;eps=0",
        "landmark:block=1024",
        "0=softmax,1-=window:tokens=1024"
      })
  void whatLeavesNothingOutIsSoftmax(String attention) {
    assertEquals(generate("softmax"), generate(attention));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "window:tokens=4",
        "sink-window:sinks=1;tokens=4",
        "longformer:tokens=4;globals=1",
        "bigbird:block=4;window=1;global=1;random=1;seed=3",
        "block-topk:block=4;k=1",
        "block-topk:block=4;k=1;strict=true",
        "hyper:min=4;block=4;samples=2",
        "routing:clusters=4;tokens=16;queries=nearest;strict=true",
        "landmark:block=8;k=2;stingy=true"
      })
  void whatLeavesKeysOutIsTheReferencesTextAndNotSoftmax(String attention) {
    // Not cpu.simd: it quantizes activations, which can turn near-ties of greedy choice.
    String sparse = generate(attention, "--kernels", "cpu.scalar", "--kv-cache", "paged+f32");
    assertEquals(sparse, generate(attention, "--kernels", "reference", "--kv-cache", "paged+f32"));
    assertNotEquals(generate("softmax", "--kv-cache", "paged+f32"), sparse);
  }

  /** Centroids that were learned on a text are a file that routes another run. */
  @Test
  void learnedCentroidsAreSavedAndRestored(@TempDir Path folder) {
    String file = folder.resolve("centroids.safetensors").toString();
    String option = "routing:clusters=4;tokens=24;queries=nearest";
    String learning = generate(option + ";learn=" + file);
    Run inspected = Run.of("inspect", file);
    assertTrue(inspected.out().contains("model.layers.0.self_attn.routing.means"), inspected.out());
    assertTrue(inspected.out().contains("[6, 4, 32]"), inspected.out());
    assertNotEquals(learning, generate(option + ";centroids=" + file));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "window:tokens=0|tokens=0 is outside 1..",
        "bigbird:block=0|write block=1 or more",
        "block-topk:blocks=3|no setting 'blocks'; known are [block, k, strict]"
      })
  void aBadSettingIsWrongUsage(String attention, String sentence) {
    Run run = Run.of("generate", "-p", "x", "--attention", attention);
    assertEquals(2, run.status(), run.err());
    assertEquals(1, run.err().lines().count(), run.err());
    assertTrue(run.err().contains(sentence), run.err());
  }
}
