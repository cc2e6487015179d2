package io.attention4j.engine.spi;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.AttentionInputs;
import io.attention4j.engine.attention.AttentionOutputs;
import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.AttentionSpec.SelectionKind;
import io.attention4j.engine.attention.BlockMask;
import io.attention4j.engine.attention.GatheredKeys;
import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.attention.Normalizer;
import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.attention.ScoreModifier;
import io.attention4j.engine.attention.Selection;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Storage;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * A valid call of 3 rows, 4/2 heads of 8, 5 keys, and what happens when one part of it is wrong.
 */
class AttentionChecksTest {
  private final Arena arena = Arena.ofConfined();
  private final AttentionBatch batch = new AttentionBatch();
  private AttentionSpec.Builder spec;
  private Tensor q;
  private Tensor out;
  private Tensor lse;
  private PagedKv kv;
  private Selection selection = Selection.NONE;

  @BeforeEach
  void valid() {
    spec = AttentionSpec.builder(4, 2, 8);
    batch.add(3, 2);
    q = floats(3, 4, 8);
    out = floats(3, 4, 8);
    lse = floats(3, 4);
    kv = pages(2, 8, KvFormat.F32);
  }

  @AfterEach
  void close() {
    arena.close();
  }

  private Tensor floats(long... extents) {
    return Tensor.allocate(arena, DType.F32, extents);
  }

  private PagedKv pages(int kvHeads, int dim, KvFormat format) {
    PagedKv table = new PagedKv(kvHeads);
    table.reset(1);
    for (int h = 0; h < kvHeads; h++) {
      Storage storage = new Storage.Host(arena.allocate(format.pageBytes(6, dim)));
      KvPage page = new KvPage(6, storage, 0, format, dim, storage, 0, format, dim);
      page.length(5);
      table.set(0, h, new KvPage[] {page}, 1);
    }
    return table;
  }

  private void check() {
    new AttentionChecks(spec.build())
        .require(batch, new AttentionInputs(q, kv, selection), new AttentionOutputs(out, lse));
  }

  private void refused(String... parts) {
    String message = assertThrows(IllegalArgumentException.class, this::check).getMessage();
    for (String part : parts) {
      assertTrue(message.contains(part), message + " lacks '" + part + "'");
    }
  }

  @Test
  void aValidCallPasses() {
    assertDoesNotThrow(this::check);
    lse = null;
    q = floats(5, 7, 8).slice(1, 2, 4);
    assertDoesNotThrow(this::check);
  }

  @Test
  void q() {
    q = floats(2, 4, 8);
    refused("q must be F32 [>= 3, 4, 8]", "F32[2, 4, 8]");
    q = floats(3, 4, 9);
    refused("F32[3, 4, 9]");
    q = floats(3, 32);
    refused("F32[3, 32]");
    q = floats(3, 8, 4).transpose(1, 2);
    refused("innermost stride 1");
  }

  @Test
  void out() {
    out = floats(3, 2, 8);
    refused("out must be F32 [>= 3, 4, 8]", "F32[3, 2, 8]");
  }

  @Test
  void lse() {
    lse = floats(3, 2);
    refused("lse must be contiguous F32 [>= 3, 4]", "F32[3, 2]");
    lse = floats(3, 4);
    spec.normalizer(new Normalizer.Sigmoid(0));
    refused("lse exists only for softmax");
  }

  @Test
  void pages() {
    kv = pages(1, 8, KvFormat.F32);
    refused("1 sequences x 1 KV heads", "1 sequences x 2 KV heads");
    kv = pages(2, 9, KvFormat.F32);
    refused("page 0 of (sequence 0, KV head 0)", "x 8", "x 9");
    kv = pages(2, 8, KvFormat.F16);
    refused("F32", "F16");
    kv = pages(2, 8, KvFormat.F32);
    batch.add(1, 0);
    q = floats(4, 4, 8);
    out = floats(4, 4, 8);
    lse = floats(4, 4);
    refused("1 sequences x 2 KV heads do not cover 2 sequences");
  }

  @Test
  void maskBits() {
    spec.mask(new Mask.Bits());
    refused("need maskBits as I8 [1|1, 4|1, 3|1, keys], not null");
    batch.maskBits(Tensor.allocate(arena, DType.I8, 1, 3, 3, 5));
    refused("not I8[1, 3, 3, 5]");
    batch.maskBits(Tensor.allocate(arena, DType.I8, 1, 4, 1, 2));
    assertDoesNotThrow(this::check);
  }

  @Test
  void bias() {
    spec.modifiers(new ScoreModifier.AdditiveBias());
    refused("need bias as F32 [1|1, 4|1, 3|1, 5|1], not null");
    batch.bias(floats(1, 1, 3, 4));
    refused("not F32[1, 1, 3, 4]");
    batch.bias(floats(1, 1, 3, 1));
    assertDoesNotThrow(this::check);
  }

  @Test
  void documents() {
    spec.mask(new Mask.Document());
    refused("every position 0..4 of sequence 0, but there are none");
    batch.documents(0, new int[4]);
    refused("but there are 4");
    batch.documents(0, new int[5]);
    assertDoesNotThrow(this::check);
  }

  @Test
  void selectionKind() {
    spec.selection(SelectionKind.BLOCKS);
    refused("selection is BLOCKS but the inputs give None");
    selection = null;
    refused("null");
  }

  private void blocks(
      int[] rowOffset, int[] full, int[] fullIndices, int[] partial, int[] indices) {
    selection =
        new Selection.Blocks(
            new BlockMask(
                4, 2, BlockMask.HeadAxis.ONE, rowOffset, full, fullIndices, partial, indices));
  }

  @Test
  void blocks() {
    spec.selection(SelectionKind.BLOCKS);
    int[] first = {0};
    int[] none = {};
    assertAll(
        () -> {
          blocks(first, new int[] {0, 1}, new int[] {2}, new int[] {0, 2}, new int[] {0, 1});
          assertDoesNotThrow(this::check);
        },
        () -> {
          blocks(none, new int[] {0, 0}, none, new int[] {0, 0}, none);
          refused("a block mask of 0 sequences does not cover a batch of 1");
        },
        () -> {
          blocks(new int[] {1}, new int[] {0, 0}, none, new int[] {0, 0}, none);
          refused("needs block rows 1..1", "with 1");
        },
        () -> {
          blocks(first, new int[] {0, 2}, new int[] {1, 1}, new int[] {0, 0}, none);
          refused("full blocks of block row 0 must ascend", "1 follows 1");
        },
        () -> {
          blocks(first, new int[] {0, 0}, none, new int[] {0, 1}, new int[] {-1});
          refused("partial blocks", "-1");
        },
        () -> {
          blocks(first, new int[] {2, 1}, new int[] {1, 1}, new int[] {0, 0}, none);
          refused("claims full entries [2, 1) of 2");
        },
        () -> {
          blocks(first, new int[] {0, 1}, new int[] {1}, new int[] {0, 2}, new int[] {0, 1});
          refused("key block 1 of block row 0 is both full and partial");
        });
  }

  private void gathered(int sequence, int head, int row, int key) {
    int[] one = {0, 1};
    selection =
        new Selection.Gathered(
            new GatheredKeys(
                new int[] {sequence},
                new int[] {head},
                one,
                new int[] {row},
                one,
                new int[] {key},
                null));
  }

  @Test
  void gathered() {
    spec.selection(SelectionKind.GATHERED);
    gathered(0, 3, 2, 4);
    assertDoesNotThrow(this::check);
    gathered(1, 0, 0, 0);
    refused("(sequence 1, query head 0) outside 1 x 4");
    gathered(0, 4, 0, 0);
    refused("(sequence 0, query head 4) outside 1 x 4");
    gathered(0, 0, 3, 0);
    refused("row 3 but there are 3");
    gathered(0, 0, 0, 5);
    refused("key 5 but there are 5");
    gathered(0, 0, 0, -1);
    refused("key -1 but there are 5");
  }
}
