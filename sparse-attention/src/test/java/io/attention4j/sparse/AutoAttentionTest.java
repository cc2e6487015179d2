package io.attention4j.sparse;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.Truncation;
import io.attention4j.sparse.OperatorRun.Data;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.channels.Channels;
import java.util.ArrayList;
import java.util.List;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.Test;

/** What is picked, and that it is said. */
class AutoAttentionTest {
  private static List<String> said(Runnable body) {
    List<String> lines = new ArrayList<>();
    Handler handler =
        new Handler() {
          @Override
          public void publish(LogRecord record) {
            lines.add(record.getMessage());
          }

          @Override
          public void flush() {}

          @Override
          public void close() {}
        };
    Logger logger = Logger.getLogger("io.attention4j.sparse.auto");
    logger.setLevel(Level.INFO);
    logger.setUseParentHandlers(false);
    logger.addHandler(handler);
    try {
      body.run();
    } finally {
      logger.removeHandler(handler);
    }
    return lines;
  }

  @Test
  void everyLengthAndWayIsMeasuredOnceAndSaid() {
    Data data = Data.random(300, 1);
    List<String> lines =
        said(
            () -> {
              try (OperatorRun run =
                  new OperatorRun("cpu.simd", "auto:min=64;candidates=sink-window+block-topk")) {
                run.outputs(data, 200, 1);
                run.outputs(data, 200, 1);
              }
            });
    assertEquals(3, lines.size(), lines.toString());
    assertTrue(lines.get(0).startsWith("layer 1, prefill from 128 tokens: "), lines.get(0));
    assertTrue(lines.get(1).startsWith("layer 1, decoding from 128 tokens: "), lines.get(1));
    assertTrue(lines.get(2).startsWith("layer 1, decoding from 256 tokens: "), lines.get(2));
    assertTrue(lines.get(0).contains("error budget 0.05; softmax "), lines.get(0));
    assertTrue(lines.get(0).contains(", sink-window "), lines.get(0));
    assertTrue(lines.get(0).contains(", block-topk "), lines.get(0));
  }

  @Test
  void whatIsPickedIsWhatIsComputed() {
    Data data = Data.random(1500, 2);
    List<float[]> out = new ArrayList<>();
    List<String> lines =
        said(
            () -> {
              try (OperatorRun run =
                  new OperatorRun("cpu.simd", "auto:error=1000;candidates=window")) {
                out.add(run.outputs(data, 1500));
              }
            });
    String picked = lines.getFirst().replaceAll(".* tokens: ([a-z]+) .*", "$1");
    try (OperatorRun run = new OperatorRun("cpu.simd", picked)) {
      assertArrayEquals(run.outputs(data, 1500), out.getFirst());
    }
  }

  @Test
  void anErrorAboveTheBudgetIsNotPicked() {
    Data data = Data.random(1500, 3);
    List<String> lines =
        said(
            () -> {
              try (OperatorRun run =
                  new OperatorRun("cpu.simd", "auto:error=1e-6;candidates=prflash+sink-window")) {
                run.outputs(data, 1500);
              }
            });
    assertEquals(List.of(true), lines.stream().map(l -> l.contains("tokens: softmax ")).toList());
  }

  @Test
  void aStateForksAndIsRestored() throws IOException {
    Data data = Data.random(250, 5);
    try (OperatorRun run =
            new OperatorRun("cpu.simd", "auto:error=1000;min=64;candidates=block-topk");
        LayerState state = run.layer.newState()) {
      run.step(state, data, 0, 200);
      ByteArrayOutputStream saved = new ByteArrayOutputStream();
      state.save(Channels.newChannel(saved));
      try (LayerState fork = state.fork();
          LayerState restored = run.layer.newState()) {
        float[] next = run.step(state, data, 200, 40);
        assertArrayEquals(next, run.step(fork, data, 200, 40));
        run.step(restored, Data.random(250, 6), 0, 150);
        restored.load(Channels.newChannel(new ByteArrayInputStream(saved.toByteArray())));
        assertArrayEquals(next, run.step(restored, data, 200, 40));
        assertEquals(new Truncation.Done(), state.truncateTo(200));
        assertArrayEquals(next, run.step(state, data, 200, 40));
      }
    }
  }

  @Test
  void candidatesShareOneCache() {
    Data data = Data.random(100, 4);
    try (OperatorRun run = new OperatorRun("cpu.simd", "auto:candidates=sink-window+window");
        OperatorRun alone = new OperatorRun("cpu.simd", "softmax");
        var state = run.layer.newState();
        var other = alone.layer.newState()) {
      run.step(state, data, 0, 100);
      alone.step(other, data, 0, 100);
      assertEquals(other.bytes(), state.bytes());
      assertEquals(100, state.length());
    }
  }
}
