package io.attention4j.kvcache.policy;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.attention4j.engine.operator.KvCacheContext;
import io.attention4j.engine.operator.OptionSpec;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Which tokens of a prompt stay. */
class SpecPcTest {
  private static int[] chosen(String settings, double... importance) {
    return SpecPc.of(OptionSpec.parse("specpc:" + settings)).choose(importance);
  }

  private static double[] peaks(int tokens, int... at) {
    double[] importance = new double[tokens];
    for (int i = 0; i < at.length; i++) {
      importance[at[i]] = at.length - i;
    }
    return importance;
  }

  @Test
  void aWholeBudgetKeepsEveryToken() {
    int[] all = IntStream.range(0, 20).toArray();
    assertArrayEquals(all, chosen("tokens=20;window=2", peaks(20, 3)));
    assertArrayEquals(all, chosen("tokens=1000;window=2", peaks(20, 3)));
    assertArrayEquals(all, chosen("keep=1;window=20", peaks(20)));
    assertEquals(20, SpecPc.of(OptionSpec.parse("specpc:tokens=20;window=2")).budget(20));
  }

  @Test
  void theNewestStayAndImportantTokensComeWithTheirNearestNeighbours() {
    // window 18, 19; 5 with 4 and 6; room for one more: 11
    assertArrayEquals(
        new int[] {4, 5, 6, 11, 18, 19},
        chosen("tokens=6;window=2;kernel=1;neighbours=3", peaks(20, 5, 11)));
    // nearest first: of 11's neighbours 10 comes before 12
    assertArrayEquals(
        new int[] {4, 5, 6, 10, 11, 18, 19},
        chosen("tokens=7;window=2;kernel=1;neighbours=3", peaks(20, 5, 11)));
  }

  @Test
  void poolingSpreadsAMaximum() {
    // kernel 3: 4, 5 and 6 tie at the maximum and the earlier comes first
    assertArrayEquals(
        new int[] {4, 5, 6, 19},
        chosen("tokens=4;window=1;kernel=3;neighbours=1", peaks(20, 5, 11)));
    assertArrayEquals(
        new int[] {4, 5, 6, 19},
        chosen("tokens=4;window=1;kernel=3;neighbours=1;reduce=mean", peaks(20, 5, 11)));
  }

  @Test
  void aVotingLayerMustExist() {
    var refused =
        assertThrows(
            IllegalArgumentException.class,
            () ->
                SpecPc.of(OptionSpec.parse("specpc:tokens=100;layer=4"))
                    .open(new KvCacheContext(null, 4, null)));
    assertEquals(
        "'specpc' lets layers from 4 vote, but the draft model has 4; lower layer=",
        refused.getMessage());
  }
}
