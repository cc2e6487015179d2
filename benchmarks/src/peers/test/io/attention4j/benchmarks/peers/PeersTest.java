package io.attention4j.benchmarks.peers;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.attention4j.benchmarks.peer.AttentionPeer;
import io.attention4j.benchmarks.peer.NaiveAttention;
import io.attention4j.benchmarks.peer.PeerLibrary;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Every peer loads our model files and computes attention. */
class PeersTest {
  private static final int HEADS = 3;
  private static final int LENGTH = 17;
  private static final int HEAD_DIM = 16;

  @Test
  void everyPeerComputesAttention() {
    Random random = new Random(7);
    float[] q = randomFloats(random);
    float[] k = randomFloats(random);
    float[] v = randomFloats(random);
    List<String> seen = new ArrayList<>();
    for (PeerLibrary.Peer peer : PeerLibrary.startAll(2)) {
      for (AttentionPeer kernel : peer.attention()) {
        seen.add(kernel.name());
        for (boolean causal : new boolean[] {false, true}) {
          check(kernel, causal, q, k, v);
        }
      }
    }
    assertEquals(List.of("ORT MultiHeadAttention", "ORT Attention-23", "libtorch SDPA"), seen);
  }

  private static void check(AttentionPeer kernel, boolean causal, float[] q, float[] k, float[] v) {
    double[] expected = NaiveAttention.compute(HEADS, LENGTH, HEAD_DIM, causal, q, k, v);
    AttentionPeer.Task task = new AttentionPeer.Task(HEADS, LENGTH, HEAD_DIM, causal);
    try (AttentionPeer.Run run = kernel.open(task, q, k, v)) {
      run.run();
      run.run();
      float[] output = run.output();
      assertEquals(expected.length, output.length, kernel.name());
      for (int i = 0; i < output.length; i++) {
        // f32 accumulation over 17 keys of unit variance.
        assertEquals(expected[i], output[i], 1e-5, kernel.name() + " " + task + " element " + i);
      }
    }
  }

  private static float[] randomFloats(Random random) {
    float[] values = new float[HEADS * LENGTH * HEAD_DIM];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }
}
