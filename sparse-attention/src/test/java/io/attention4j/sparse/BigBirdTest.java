package io.attention4j.sparse;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The random blocks. */
class BigBirdTest {
  private static final int BLOCKS = 40;

  private static List<BitSet> choices(BigBird bigBird) {
    QueryBlock query = new QueryBlock(1, 1, 1, bigBird.block(), bigBird.block());
    query.sequence(null, null, (long) BLOCKS * bigBird.block());
    List<BitSet> choices = new ArrayList<>();
    for (int i = 0; i < BLOCKS; i++) {
      query.rows(0, 0, 0, bigBird.block(), (long) i * bigBird.block());
      BitSet chosen = new BitSet();
      bigBird.select(query, chosen);
      choices.add(chosen);
    }
    return choices;
  }

  @Test
  void causalRowsReadSoManyEarlierBlocks() {
    List<BitSet> choices = choices(new BigBird(16, 3, 1, 4, 5, 2, false));
    for (int i = 1; i < BLOCKS; i++) {
      assertEquals(Math.min(i + 1, 3 + 1 + 4), choices.get(i).cardinality(), "query block " + i);
      assertEquals(i + 1, choices.get(i).length(), "query block " + i + " reads itself");
    }
  }

  @Test
  void bidirectionalRowsReadSoManyBlocks() {
    List<BitSet> choices = choices(new BigBird(16, 3, 1, 4, 5, 2, true));
    assertEquals(BLOCKS, choices.getFirst().cardinality());
    assertEquals(BLOCKS, choices.getLast().cardinality());
    for (int i = 2; i < BLOCKS - 2; i++) {
      assertEquals(3 + 2 + 4, choices.get(i).cardinality(), "query block " + i);
      assertTrue(choices.get(i).get(0) && choices.get(i).get(BLOCKS - 1));
    }
  }

  @Test
  void theSeedAndTheLayerDecide() {
    List<BitSet> choices = choices(new BigBird(16, 3, 1, 4, 5, 2, false));
    assertEquals(choices, choices(new BigBird(16, 3, 1, 4, 5, 2, false)));
    assertNotEquals(choices, choices(new BigBird(16, 3, 1, 4, 6, 2, false)));
    assertNotEquals(choices, choices(new BigBird(16, 3, 1, 4, 5, 3, false)));
  }
}
