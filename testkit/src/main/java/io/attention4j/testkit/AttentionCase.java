package io.attention4j.testkit;

import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.BlockMask;
import io.attention4j.engine.attention.GatheredKeys;
import io.attention4j.engine.attention.Masks;
import io.attention4j.engine.attention.Selection;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;

/**
 * A named attention problem; its data is random, made from the name when asked for.
 *
 * @param name unique, also the seed
 * @param spec what the model fixes
 * @param generator makes the data from the name
 */
public record AttentionCase(
    String name, AttentionSpec spec, Function<String, AttentionData> generator) {

  /** The data, always the same. */
  public AttentionData data() {
    return generator.apply(name);
  }

  /** Starts a case. */
  public static Builder of(String name, AttentionSpec.Builder spec) {
    return new Builder(name, spec.build());
  }

  /** Says what a case's sequences hold. */
  public static final class Builder {
    private record Size(int rows, int keys, long firstPosition) {}

    private final String name;
    private final AttentionSpec spec;
    private final List<Size> sizes = new ArrayList<>();
    private AttentionData.Pages pages = AttentionData.Pages.WHOLE;
    private Layout layout = Layout.CONTIGUOUS;
    private float magnitude = 1;
    private boolean slotBias;
    private boolean raggedHeads;
    private boolean nonFinite;
    private int gap = 1;
    private int[] bitsExtents;
    private int[] biasExtents;
    private Function<CaseRandom, Selection> selection = random -> Selection.NONE;

    private Builder(String name, AttentionSpec spec) {
      this.name = name;
      this.spec = spec;
    }

    /** A sequence whose last row stands at the last key (bottom-right). */
    public Builder sequence(int rows, int keys) {
      return sequence(rows, keys, (long) keys - rows);
    }

    /** A sequence whose first row stands at a position. */
    public Builder sequence(int rows, int keys, long firstPosition) {
      sizes.add(new Size(rows, keys, firstPosition));
      return this;
    }

    /** Cuts slots into pages; the default is one page per head. */
    public Builder pages(AttentionData.Pages cut) {
      pages = cut;
      return this;
    }

    /** How q and out lie in memory; the default is contiguous. */
    public Builder layout(Layout placement) {
      layout = placement;
      return this;
    }

    /** Largest query element; keys stay within 1. */
    public Builder magnitude(float largest) {
      magnitude = largest;
      return this;
    }

    /** Gives slots a bias, some of it -inf. */
    public Builder slotBias() {
      slotBias = true;
      return this;
    }

    /** KV head h keeps 3 h keys less than the first. */
    public Builder raggedHeads() {
      raggedHeads = true;
      return this;
    }

    /**
     * Every eleventh slot holds NaN in its key and infinities in its value, which only rows that
     * see it may notice.
     */
    public Builder nonFinite() {
      nonFinite = true;
      return this;
    }

    /** Keys stand at every second position, listed by the pages. */
    public Builder gaps() {
      gap = 2;
      return this;
    }

    /** A random mask of these extents; every fourth row of it is all hidden. */
    public Builder bits(int... extents) {
      bitsExtents = extents;
      return this;
    }

    /** A random bias of these extents, a tenth of it -inf. */
    public Builder bias(int... extents) {
      biasExtents = extents;
      return this;
    }

    /**
     * A random block mask: of the key blocks of each query block about a quarter full, half
     * partial, a quarter skipped; some query blocks get nothing.
     */
    public Builder blocks(int queryBlock, int keyBlock, BlockMask.HeadAxis axis) {
      selection = random -> new Selection.Blocks(randomBlocks(random, queryBlock, keyBlock, axis));
      return this;
    }

    /** Random gathered lists: groups of rows with this many entries, drawn with repetition. */
    public Builder gather(int groupRows, int entries, boolean withBias) {
      selection =
          random -> new Selection.Gathered(randomLists(random, groupRows, entries, withBias));
      return this;
    }

    /** The case. */
    public AttentionCase build() {
      return new AttentionCase(name, spec, seed -> generate());
    }

    private AttentionData generate() {
      CaseRandom random = new CaseRandom(name);
      List<AttentionData.Sequence> sequences = new ArrayList<>();
      for (Size size : sizes) {
        List<AttentionData.Head> heads = new ArrayList<>();
        for (int h = 0; h < spec.kvHeads(); h++) {
          heads.add(head(random, raggedHeads ? Math.max(0, size.keys - 3 * h) : size.keys));
        }
        sequences.add(
            new AttentionData.Sequence(
                size.rows,
                size.firstPosition,
                random.floats(size.rows * spec.queryHeads() * spec.headDim(), magnitude),
                heads,
                size.keys / 3,
                Masks.usesDocuments(spec.mask()) ? documents(size) : null));
      }
      AttentionData.Bits bits = null;
      if (bitsExtents != null) {
        bits = new AttentionData.Bits(randomBits(random), longs(bitsExtents));
      }
      AttentionData.Bias bias = null;
      if (biasExtents != null) {
        bias = new AttentionData.Bias(randomBias(random), longs(biasExtents));
      }
      return new AttentionData(
          spec, sequences, bits, bias, selection.apply(random), pages, layout, name);
    }

    private int[] documents(Size size) {
      long positions = Math.max(size.firstPosition + size.rows, (long) gap * size.keys);
      int[] documents = new int[Math.toIntExact(positions)];
      for (int p = 0; p < documents.length; p++) {
        documents[p] = p / 5 % 3;
      }
      return documents;
    }

    private AttentionData.Head head(CaseRandom random, int keys) {
      long[] positions = new long[keys];
      for (int j = 0; j < keys; j++) {
        positions[j] = (long) j * gap;
      }
      float[] bias = null;
      if (slotBias) {
        bias = random.floats(keys, 2);
        for (int j = 0; j < keys; j++) {
          bias[j] = random.chance(0.1) ? Float.NEGATIVE_INFINITY : bias[j];
        }
      }
      float[] k = random.floats(keys * spec.headDim(), 1);
      float[] v = random.floats(keys * spec.valueDim(), 1);
      for (int j = 5; nonFinite && j < keys; j += 11) {
        Arrays.fill(k, j * spec.headDim(), (j + 1) * spec.headDim(), Float.NaN);
        Arrays.fill(v, j * spec.valueDim(), (j + 1) * spec.valueDim(), Float.POSITIVE_INFINITY);
      }
      return new AttentionData.Head(k, v, positions, gap > 1, bias);
    }

    private byte[] randomBits(CaseRandom random) {
      int columns = bitsExtents[3];
      byte[] bits = new byte[Arrays.stream(bitsExtents).reduce(1, (a, b) -> a * b)];
      for (int i = 0; i < bits.length; i++) {
        boolean hiddenRow = i / columns % 4 == 3;
        bits[i] = (byte) (!hiddenRow && random.chance(0.6) ? 1 : 0);
      }
      return bits;
    }

    private float[] randomBias(CaseRandom random) {
      float[] bias = random.floats(Arrays.stream(biasExtents).reduce(1, (a, b) -> a * b), 2);
      for (int i = 0; i < bias.length; i++) {
        bias[i] = random.chance(0.1) ? Float.NEGATIVE_INFINITY : bias[i];
      }
      return bias;
    }

    private BlockMask randomBlocks(
        CaseRandom random, int queryBlock, int keyBlock, BlockMask.HeadAxis axis) {
      int heads =
          switch (axis) {
            case QUERY_HEAD -> spec.queryHeads();
            case KV_HEAD -> spec.kvHeads();
            case ONE -> 1;
          };
      BlockMaskBuilder builder = new BlockMaskBuilder(queryBlock, keyBlock, axis);
      for (Size size : sizes) {
        builder.sequence();
        int rows = heads * Math.ceilDiv(size.rows, queryBlock);
        for (int row = 0; row < rows; row++) {
          builder.row();
          boolean nothing = random.chance(0.1);
          for (int block = 0; block < Math.ceilDiv(size.keys, keyBlock); block++) {
            int draw = random.below(4);
            if (!nothing && draw == 0) {
              builder.full(block);
            } else if (!nothing && draw < 3) {
              builder.partial(block);
            }
          }
        }
      }
      return builder.build();
    }

    private GatheredKeys randomLists(
        CaseRandom random, int groupRows, int entries, boolean withBias) {
      List<int[]> groups = new ArrayList<>();
      for (int s = 0; s < sizes.size(); s++) {
        for (int h = 0; h < spec.queryHeads(); h++) {
          for (int row = 0; row < sizes.get(s).rows; row += groupRows) {
            if (random.chance(0.9)) {
              groups.add(new int[] {s, h, row, Math.min(sizes.get(s).rows, row + groupRows)});
            }
          }
        }
      }
      int[] sequence = new int[groups.size()];
      int[] head = new int[groups.size()];
      int[] rowIndptr = new int[groups.size() + 1];
      int[] keyIndptr = new int[groups.size() + 1];
      List<Integer> rows = new ArrayList<>();
      List<Integer> keys = new ArrayList<>();
      for (int g = 0; g < groups.size(); g++) {
        int[] group = groups.get(g);
        sequence[g] = group[0];
        head[g] = group[1];
        for (int row = group[3] - 1; row >= group[2]; row--) {
          rows.add(row);
        }
        int bound = sizes.get(group[0]).keys;
        int drawn = bound == 0 ? 0 : random.below(entries + 1);
        for (int e = 0; e < drawn; e++) {
          keys.add(random.below(bound));
        }
        rowIndptr[g + 1] = rows.size();
        keyIndptr[g + 1] = keys.size();
      }
      return new GatheredKeys(
          sequence,
          head,
          rowIndptr,
          rows.stream().mapToInt(Integer::intValue).toArray(),
          keyIndptr,
          keys.stream().mapToInt(Integer::intValue).toArray(),
          withBias ? random.floats(keys.size(), 2) : null);
    }

    private static long[] longs(int[] values) {
      return Arrays.stream(values).asLongStream().toArray();
    }
  }
}
