package io.attention4j.benchmarks.mqar;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.recurrent.layer.SequenceLayer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

class MqarTest {
  private static final int VOCABULARY = 8192;

  @Test
  void everyQuestionHasItsAnswerInTheContext() {
    MqarTask[] tasks = {
      MqarTask.of(64, 4, 1),
      MqarTask.of(512, 64, 2),
      new MqarTask(128, 64, 8, 1, 2, true, 3),
      new MqarTask(12, 10, 2, 0.01, 1, false, 4)
    };
    for (MqarTask task : tasks) {
      for (int e = 0; e < 20; e++) {
        MqarTask.Example example = task.example(e);
        Map<Integer, Integer> pairs = new HashMap<>();
        for (int t = 0; t < task.contextTokens(); t += 2) {
          int key = example.inputs()[t];
          assertTrue(key > 0 && key < task.vocabulary() / 2, "key " + key);
          int value = example.inputs()[t + 1];
          assertTrue(value >= task.vocabulary() / 2 && value < task.vocabulary());
          assertEquals(value, pairs.merge(key, value, (old, now) -> now));
          assertEquals(MqarTask.IGNORED, example.labels()[t]);
          assertEquals(MqarTask.IGNORED, example.labels()[t + 1]);
        }
        assertEquals(task.pairs(), pairs.size(), "distinct keys");
        assertEquals(task.pairs(), pairs.values().stream().distinct().count());
        int asked = 0;
        for (int t = 0; t < task.length(); t++) {
          if (example.labels()[t] != MqarTask.IGNORED) {
            asked++;
            assertEquals(pairs.get(example.inputs()[t]), example.labels()[t], "the oracle");
            assertEquals(0, t % 2);
          } else if (t >= task.contextTokens() && !task.randomFiller()) {
            assertEquals(0, example.inputs()[t]);
          }
        }
        assertEquals(task.pairs(), asked);
      }
    }
  }

  @Test
  void examplesFollowTheSeedAndDiffer() {
    MqarTask task = MqarTask.of(64, 4, 7);
    assertArrayEquals(task.example(3).inputs(), MqarTask.of(64, 4, 7).example(3).inputs());
    assertFalse(Arrays.equals(task.example(3).inputs(), task.example(4).inputs()));
    assertFalse(Arrays.equals(task.example(3).inputs(), MqarTask.of(64, 4, 8).example(3).inputs()));
  }

  /**
   * Place 1 of 28 has a weight of 1, the sum is 3.9: a quarter, but every fourth if drawn thrice.
   */
  @Test
  void aSmallPowerFavoursEarlyPlaces() {
    int early = 0;
    int uniform = 0;
    for (int e = 0; e < 400; e++) {
      early += MqarTask.of(64, 1, 5).example(e).labels()[2] != MqarTask.IGNORED ? 1 : 0;
      MqarTask even = new MqarTask(8192, 64, 1, 1, 1, false, 5);
      uniform += even.example(e).labels()[2] != MqarTask.IGNORED ? 1 : 0;
    }
    // The expected counts are 400 / 4.0 and 400 / 31, with deviations of 9 and 4.
    assertTrue(early > 70 && early < 135, "early " + early);
    assertTrue(uniform < 30, "uniform " + uniform);
  }

  private static double recall(
      RecallModels models,
      Codes codes,
      SequenceLayer first,
      SequenceLayer second,
      int length,
      int pairs) {
    assertTrue(codes.width() > 0);
    return models.model(first, second).run(MqarTask.of(length, pairs, 11), 4).recall();
  }

  @Test
  void softmaxSolvesItExactlyBehindEveryShift() {
    Codes codes = Codes.binary(VOCABULARY);
    RecallModels models = new RecallModels(codes);
    RecallModels copied = new RecallModels(codes.withCopy());
    int[][] settings = {{64, 4}, {128, 8}, {256, 16}};
    for (int[] setting : settings) {
      int n = setting[0];
      int d = setting[1];
      assertEquals(1, recall(models, codes, models.softmaxShift(), models.softmax(), n, d));
      assertEquals(1, recall(models, codes, models.windowShift(), models.softmax(), n, d));
      assertEquals(1, recall(models, codes, models.fixedShift(n), models.softmax(), n, d));
      assertEquals(1, recall(copied, codes, copied.convShift(), copied.softmax(), n, d));
      assertEquals(1, recall(copied, codes, copied.convShift(), copied.sigmoid(), n, d));
      assertEquals(1, recall(copied, codes, copied.metaMixerShift(), copied.softmax(), n, d));
    }
  }

  @Test
  void aWindowBeforeLinearAttentionSolvesItExactlyWithEnoughState() {
    Codes codes = Codes.random(VOCABULARY, 32, 0);
    RecallModels models = new RecallModels(codes);
    assertEquals(1, recall(models, codes, models.windowShift(), models.based(), 128, 8));
    Codes wide = Codes.random(VOCABULARY, 512, 0);
    RecallModels wideModels = new RecallModels(wide);
    assertEquals(
        1, recall(wideModels, wide, wideModels.windowShift(), wideModels.linear(), 128, 8));
  }

  /** Keys that share a slot overwrite each other; with more slots fewer do. */
  @Test
  void aQuasiLstmRecallsWhatItsSlotsKeepApart() {
    Codes codes = Codes.binary(VOCABULARY).withCopy();
    RecallModels models = new RecallModels(codes);
    double few = recall(models, codes, models.convShift(), models.quasiLstm(3), 64, 8);
    double many = recall(models, codes, models.convShift(), models.quasiLstm(7), 64, 8);
    assertTrue(few < 0.8 && few > 0.2, "recall " + few);
    assertTrue(many > 0.85, "recall " + many);
  }

  @Test
  void whatCannotAskCannotRecall() {
    Codes codes = Codes.binary(VOCABULARY).withCopy();
    RecallModels models = new RecallModels(codes);
    SequenceLayer[] blind = {
      models.staticEmbeddings(),
      models.nonApproximate(),
      models.aaren(),
      models.lama(),
      models.metaMixer(),
      models.mlp()
    };
    for (SequenceLayer layer : blind) {
      double recall = recall(models, codes, models.convShift(), layer, 128, 8);
      assertTrue(recall <= 0.25, "recall " + recall);
    }
  }

  @Test
  void refusals() {
    assertThrows(IllegalArgumentException.class, () -> MqarTask.of(8192, 4, 0));
    assertThrows(IllegalArgumentException.class, () -> MqarTask.of(63, 4, 0));
    String message =
        assertThrows(IllegalArgumentException.class, () -> MqarTask.of(64, 17, 0)).getMessage();
    assertTrue(message.startsWith("17 pairs shown 1 times and asked once do not fit 64"), message);
    assertThrows(IllegalArgumentException.class, () -> new MqarSuite(0, 0, line -> {}));
  }
}
