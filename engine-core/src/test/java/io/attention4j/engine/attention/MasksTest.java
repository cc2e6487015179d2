package io.attention4j.engine.attention;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.junit.jupiter.api.Test;

class MasksTest {
  /**
   * What rows at positions first, first + 1, ... see of keys 0..keys-1: '#' visible, '.' hidden.
   */
  private static String picture(Mask mask, AttentionBatch batch, int keys) {
    StringBuilder picture = new StringBuilder();
    for (int row = 0; row < batch.rows(0); row++) {
      for (int key = 0; key < keys; key++) {
        picture.append(Masks.visible(mask, batch, 0, 0, row, key, key) ? '#' : '.');
      }
      picture.append('\n');
    }
    return picture.toString();
  }

  private static AttentionBatch batch(int rows, long first) {
    AttentionBatch batch = new AttentionBatch();
    batch.add(rows, first);
    return batch;
  }

  @Test
  void all() {
    assertEquals("###\n###\n", picture(new Mask.All(), batch(2, 0), 3));
  }

  @Test
  void causal() {
    assertEquals("#...\n##..\n###.\n", picture(new Mask.Causal(), batch(3, 0), 4));
    assertEquals("##..\n###.\n####\n", picture(new Mask.Causal(), batch(3, 1), 4));
    assertEquals("....\n....\n#...\n", picture(new Mask.Causal(), batch(3, -2), 4));
  }

  @Test
  void window() {
    assertEquals(
        "#.....\n##....\n.##...\n..##..\n", picture(new Mask.Window(1, 0), batch(4, 0), 6));
    assertEquals(
        "##....\n###...\n####..\n.####.\n", picture(new Mask.Window(2, 1), batch(4, 0), 6));
    long open = Mask.Window.UNBOUNDED;
    assertEquals("#..\n##.\n###\n", picture(new Mask.Window(open, 0), batch(3, 0), 3));
    assertEquals("###\n.##\n..#\n", picture(new Mask.Window(0, open), batch(3, 0), 3));
    assertEquals("...\n...\n", picture(new Mask.Window(3, 0), batch(2, 1L << 40), 3));
    assertEquals("###\n###\n", picture(new Mask.Window(open, open), batch(2, -(1L << 40)), 3));
  }

  @Test
  void prefix() {
    AttentionBatch batch = batch(4, 0);
    batch.prefixLength(0, 2);
    assertEquals("##..\n##..\n###.\n####\n", picture(new Mask.Prefix(), batch, 4));
  }

  @Test
  void global() {
    assertEquals("####\n#...\n#...\n", picture(new Mask.Global(1), batch(3, 0), 4));
    assertEquals("##..\n##..\n", picture(new Mask.Global(2), batch(2, 2), 4));
    assertEquals("....\n", picture(new Mask.Global(0), batch(1, 0), 4));
    assertThrows(IllegalArgumentException.class, () -> new Mask.Global(-1));
  }

  @Test
  void document() {
    AttentionBatch batch = batch(3, 1);
    batch.documents(0, new int[] {7, 7, 8, 8, 7});
    assertEquals("##..#\n..##.\n..##.\n", picture(new Mask.Document(), batch, 5));
    AttentionBatch before = batch(2, -1);
    before.documents(0, new int[] {7, 7});
    assertEquals("..\n##\n", picture(new Mask.Document(), before, 2));
  }

  @Test
  void bitsRepeatAndEnd() {
    try (Arena arena = Arena.ofConfined()) {
      AttentionBatch batch = batch(2, 0);
      Tensor bits = Tensor.allocate(arena, DType.I8, 1, 1, 2, 3);
      bits.segment().set(ValueLayout.JAVA_BYTE, 1, (byte) 1);
      bits.segment().set(ValueLayout.JAVA_BYTE, 3, (byte) -1);
      batch.maskBits(bits);
      assertEquals(".#..\n#...\n", picture(new Mask.Bits(), batch, 4));
      batch.maskBits(bits.slice(2, 0, 1));
      assertEquals(".#..\n.#..\n", picture(new Mask.Bits(), batch, 4));
    }
  }

  @Test
  void combinations() {
    Mask odd = new Mask.Custom((sequence, head, query, key) -> key % 2 == 1);
    Mask causal = new Mask.Causal();
    AttentionBatch batch = batch(3, 0);
    assertEquals("....\n.#..\n.#..\n", picture(new Mask.AllOf(List.of(causal, odd)), batch, 4));
    assertEquals("##.#\n##.#\n####\n", picture(new Mask.AnyOf(List.of(causal, odd)), batch, 4));
    assertEquals("##\n##\n##\n", picture(new Mask.AllOf(List.of()), batch, 2));
    assertEquals("..\n..\n..\n", picture(new Mask.AnyOf(List.of()), batch, 2));
  }

  @Test
  void findsNestedMasks() {
    Mask nested =
        new Mask.AnyOf(
            List.of(new Mask.Causal(), new Mask.AllOf(List.of(new Mask.Bits(), new Mask.All()))));
    assertTrue(Masks.usesBits(nested));
    assertFalse(Masks.usesDocuments(nested));
    assertTrue(Masks.usesDocuments(new Mask.AllOf(List.of(new Mask.Document()))));
    assertFalse(Masks.usesBits(new Mask.Causal()));
  }

  @Test
  void biasRepeatsExtentsOfOne() {
    try (Arena arena = Arena.ofConfined()) {
      AttentionBatch batch = batch(2, 0);
      batch.bias(Tensor.ofFloats(arena, new float[] {1, 2, 3, 4}, 1, 2, 1, 2));
      assertEquals(2, Masks.bias(batch, 0, 0, 1, 1));
      assertEquals(3, Masks.bias(batch, 0, 1, 1, 0));
      batch.bias(Tensor.ofFloats(arena, new float[] {5, 6}, 1, 1, 2, 1));
      assertEquals(6, Masks.bias(batch, 0, 1, 1, 9));
    }
  }
}
