package io.attention4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.llm.safetensors.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SeerDistillTest {
  @TempDir Path folder;

  /** On the demo model: the loss falls, other windows are judged better, and the file loads. */
  @Test
  void aGateIsTrainedAndLoads() throws IOException {
    Path text = folder.resolve("text");
    StringBuilder words = new StringBuilder();
    for (int i = 0; words.length() < 9000; i++) {
      words.append("Line ").append(i * 7919 % 1000).append(" of the king. What, ho! ");
    }
    Files.writeString(text, words);
    Path gate = folder.resolve("gate.safetensors");
    Run run =
        Run.of(
            ("seer-distill -c 256 --block 16 -k 3 --windows 10 --epochs 6 --text " + text)
                .concat(" -o " + gate)
                .split(" "));
    assertEquals(0, run.status(), run.err());
    assertTrue(run.out().contains("written to"), run.out());
    try (SafetensorsFile file = SafetensorsFile.open(gate)) {
      double untrained = 0;
      double trained = 0;
      for (int layer = 0; layer < 6; layer++) {
        String official = "model.layers." + layer + ".self_attn.attn_gate.mask_linear_k.weight";
        assertEquals("[6, 96, 32]", file.tensor(official).shape().toString());
        float[] losses = file.tensor("distill.layers." + layer + ".losses").toFloats();
        assertEquals(7, losses.length);
        assertTrue(losses[6] < 0.8 * losses[0], Arrays.toString(losses));
        float[] recall = file.tensor("distill.layers." + layer + ".recall").toFloats();
        untrained += recall[0] / 6;
        trained += recall[1] / 6;
        assertTrue(recall[1] <= recall[2] + 1e-6, Arrays.toString(recall));
      }
      assertTrue(trained > untrained + 0.02, trained + " " + untrained);
    }
    Run used =
        Run.of(
            "perplexity",
            "-c",
            "256",
            "--attention",
            "seer:block=16;k=3;last=0;gate=" + gate,
            "--text",
            text.toString());
    assertEquals(0, used.status(), used.err());
  }
}
