package io.attention4j.kernels.opencl;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.AttentionInputs;
import io.attention4j.engine.attention.AttentionOutputs;
import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.BlockMask;
import io.attention4j.engine.attention.GatheredKeys;
import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.attention.Normalizer;
import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.attention.ScoreModifier;
import io.attention4j.engine.attention.Selection;
import io.attention4j.engine.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * What attention.cl must know of a step, as one table of words: sizes and strides, the mask, the
 * segments of the pages, the sequences, which of them each row belongs to, and the work of every
 * group. Its layout is described there.
 *
 * <p>The keys of a (sequence, KV head) are cut into ranges that different work groups reduce: where
 * the pages' memory changes, and into equal numbers of tiles where there would be too few groups to
 * fill a device. The cut depends on the batch alone, never on the device, so results repeat.
 */
final class StepTable implements AutoCloseable {
  /** Work groups of a step that are enough for any device. */
  private static final int ENOUGH_GROUPS = 512;

  /** A range of fewer tiles is not worth its merging. */
  private static final int FEWEST_TILES = 4;

  private static final int HEADER_WORDS = 37;
  private static final int WORK_WORDS = 12;

  /** Work groups of one kernel that read the same few buffers, see {@link Segments#memory}. */
  record Launch(int memory, boolean decode, int workAt, int groups) {}

  private final AttentionSpec spec;
  private final int decodeVectors;
  private final ClTable table;
  private final Segments segments;
  private final Words blocks = new Words();
  private final Words places = new Words();
  private final List<Words> works = new ArrayList<>();
  private final List<Launch> launches = new ArrayList<>();
  private int sequencesAt;
  private int mostDecodeVectors;
  private int lowestListed;
  private int highestListed;
  private long states;

  StepTable(ClContext context, AttentionSpec spec) {
    this.spec = spec;
    this.decodeVectors = AttentionSource.decodeVectors(context.device());
    this.table = new ClTable(context);
    this.segments = new Segments(context, spec, table);
  }

  /** States of (query vector, range) pairs. */
  long states() {
    return states;
  }

  List<Launch> launches() {
    return launches;
  }

  Segments segments() {
    return segments;
  }

  /** Most query vectors of a group of the decode kernel, a power of two. */
  int mostDecodeVectors() {
    return Integer.highestOneBit(2 * Math.max(1, mostDecodeVectors) - 1);
  }

  ClBuffer upload() {
    return table.upload();
  }

  /** Fills the table for a step. */
  void fill(AttentionBatch batch, AttentionInputs in, AttentionOutputs out) {
    table.clear();
    segments.clear();
    places.clear();
    works.forEach(Words::clear);
    launches.clear();
    states = 0;
    mostDecodeVectors = 0;
    table.addRoom(HEADER_WORDS);
    fillRules();
    fillTensors(batch, in.q(), out);
    fillSequences(batch);
    table.set(13, -1);
    switch (in.selection()) {
      case Selection.None none -> fillAll(batch, in.kv());
      case Selection.Blocks(BlockMask mask) -> fillBlocks(batch, in.kv(), mask);
      case Selection.Gathered(GatheredKeys keys) -> fillGathered(batch, in.kv(), keys);
    }
    table.set(0, segments.copyToTable());
    fillLaunches();
  }

  private void fillRules() {
    table.set(2, sequenceWords());
    table.set(3, spec.groupSize());
    table.set(4, Float.floatToRawIntBits(spec.scale()));
    table.set(33, spec.headDim());
    table.set(34, spec.valueDim());
    table.set(35, AttentionSource.formatNumber(spec.keyFormat()));
    table.set(36, AttentionSource.formatNumber(spec.valueFormat()));
    table.set(5, table.size());
    if (!(spec.mask() instanceof Mask.All)) {
      addMask(spec.mask());
    }
    table.set(6, table.size());
    int slopesAt = table.size();
    for (ScoreModifier modifier : spec.modifiers()) {
      if (modifier instanceof ScoreModifier.Alibi alibi) {
        alibi.slopes().forEach(table::addFloat);
      }
    }
    table.set(7, table.size());
    for (ScoreModifier modifier : spec.modifiers()) {
      switch (modifier) {
        case ScoreModifier.SoftCap cap -> {
          table.add(0);
          table.addFloat(cap.cap());
        }
        case ScoreModifier.Alibi alibi -> {
          table.add(1);
          table.add(slopesAt);
          slopesAt += alibi.slopes().size();
        }
        case ScoreModifier.AdditiveBias bias -> {
          table.add(2);
          table.add(0);
        }
        case ScoreModifier.Custom custom -> throw new AssertionError("refused before");
      }
    }
    table.set(8, table.size());
    float sigmoidBias = spec.normalizer() instanceof Normalizer.Sigmoid(float bias) ? bias : 0;
    table.set(
        9,
        switch (spec.normalizer()) {
          case Normalizer.Softmax softmax -> 0;
          case Normalizer.Sigmoid sigmoid -> 1;
          case Normalizer.None none -> 2;
        });
    table.set(10, Float.floatToRawIntBits(sigmoidBias));
    table.set(12, spec.sinks().isEmpty() ? -1 : table.size());
    spec.sinks().forEach(table::addFloat);
  }

  private void addMask(Mask mask) {
    switch (mask) {
      case Mask.All all -> addOperation(0, 0, 0);
      case Mask.Causal causal -> addOperation(1, 0, 0);
      case Mask.Window window -> addOperation(2, window.left(), window.right());
      case Mask.Global global -> addOperation(3, global.tokens(), 0);
      case Mask.Prefix prefix -> addOperation(4, 0, 0);
      case Mask.Document document -> addOperation(5, 0, 0);
      case Mask.Bits bits -> addOperation(6, 0, 0);
      case Mask.AllOf all -> {
        all.parts().forEach(this::addMask);
        addOperation(7, all.parts().size(), 0);
      }
      case Mask.AnyOf any -> {
        any.parts().forEach(this::addMask);
        addOperation(8, any.parts().size(), 0);
      }
      case Mask.Custom custom -> throw new AssertionError("refused before");
    }
  }

  private void addOperation(long operation, long a, long b) {
    table.add(operation);
    table.add(a);
    table.add(b);
  }

  private void fillTensors(AttentionBatch batch, Tensor q, AttentionOutputs out) {
    table.set(14, DeviceMemory.floatOffset(q));
    table.set(15, q.stride(0));
    table.set(16, q.stride(1));
    Tensor bits = batch.maskBits();
    table.set(17, bits == null ? 0 : bits.byteOffset());
    fillStrides(18, bits);
    table.set(21, bits == null ? 0 : bits.stride(3));
    table.set(22, bits == null ? 0 : bits.extent(3));
    Tensor bias = batch.bias();
    table.set(23, bias == null ? 0 : DeviceMemory.floatOffset(bias));
    fillStrides(24, bias);
    table.set(27, bias == null || bias.extent(3) == 1 ? 0 : bias.stride(3));
    table.set(28, DeviceMemory.floatOffset(out.out()));
    table.set(29, out.out().stride(0));
    table.set(30, out.out().stride(1));
    table.set(31, out.lse() == null ? 0 : DeviceMemory.floatOffset(out.lse()));
    table.set(32, out.lse() == null ? 0 : 1);
  }

  /** Strides of sequence, head and row, where a dimension of extent 1 repeats. */
  private void fillStrides(int at, Tensor tensor) {
    for (int i = 0; i < 3; i++) {
      table.set(at + i, tensor == null || tensor.extent(i) == 1 ? 0 : tensor.stride(i));
    }
  }

  private int sequenceWords() {
    return 5 + 2 * spec.kvHeads();
  }

  private void fillSequences(AttentionBatch batch) {
    table.set(11, table.size());
    for (int s = 0; s < batch.sequences(); s++) {
      for (int row = 0; row < batch.rows(s); row++) {
        table.add(s);
      }
    }
    sequencesAt = table.size();
    table.set(1, sequencesAt);
    for (int s = 0; s < batch.sequences(); s++) {
      table.add(batch.firstRow(s));
      table.add(batch.rows(s));
      table.add(batch.firstPosition(s));
      table.add(batch.prefixLength(s));
      table.add(0);
      for (int h = 0; h < 2 * spec.kvHeads(); h++) {
        table.add(0);
      }
    }
    for (int s = 0; s < batch.sequences(); s++) {
      int[] documents = batch.documents(s);
      if (documents != null) {
        table.set(sequencesAt + s * sequenceWords() + 4, table.size());
        for (int document : documents) {
          table.add(document);
        }
      }
    }
  }

  private void setStates(int s, int h, long first, int ranges) {
    int at = sequencesAt + s * sequenceWords() + 5 + 2 * h;
    table.set(at, first);
    table.set(at + 1, ranges);
  }

  private int vectorsPerGroup(long vectors) {
    return vectors <= decodeVectors ? decodeVectors : AttentionSource.PREFILL_VECTORS;
  }

  private static long tilesPerRange(long tiles) {
    return Math.max(FEWEST_TILES, Math.ceilDiv(tiles, ENOUGH_GROUPS));
  }

  private void fillAll(AttentionBatch batch, PagedKv kv) {
    blocks.clear();
    long tiles = 0;
    for (int s = 0; s < batch.sequences(); s++) {
      long vectors = (long) batch.rows(s) * spec.groupSize();
      for (int h = 0; h < spec.kvHeads(); h++) {
        int before = segments.count();
        blocks.add(before);
        segments.addPages(kv, s, h, Integer.MAX_VALUE, null);
        long groups = Math.ceilDiv(vectors, (long) vectorsPerGroup(vectors));
        tiles += (segments.count() - before) * groups;
      }
    }
    blocks.add(segments.count());
    long perRange = tilesPerRange(tiles);
    int context = 0;
    for (int s = 0; s < batch.sequences(); s++) {
      int rows = batch.rows(s);
      int vectors = rows * spec.groupSize();
      for (int h = 0; h < spec.kvHeads(); h++) {
        int to = (int) blocks.get(context + 1);
        int from = (int) blocks.get(context++);
        long first = states;
        int ranges = 0;
        while (from < to && rows > 0) {
          int end = endOfRange(from, to, perRange);
          addWork(s, h * spec.groupSize(), spec.groupSize(), 0, vectors, from, end, -1, -1);
          states += vectors;
          ranges++;
          from = end;
        }
        setStates(s, h, first, ranges);
      }
    }
  }

  /** Where a range of segments ends: at other memory, else at an equal share of what is left. */
  private int endOfRange(int from, int to, long mostTiles) {
    int same = from + 1;
    while (same < to && segments.memory(same) == segments.memory(from)) {
      same++;
    }
    long left = same - from;
    return from + (int) Math.ceilDiv(left, Math.ceilDiv(left, mostTiles));
  }

  /** Splits vectors [first, first + vectors) over groups that reduce the same keys. */
  private void addWork(
      int s,
      int head,
      int heads,
      int first,
      int vectors,
      int from,
      int to,
      int blocksAt,
      int listAt) {
    int memory = blocksAt < 0 ? segments.memory(from) : 0;
    addWork(memory, s, head, heads, first, vectors, from, to, blocksAt, listAt, states);
  }

  private void addWork(
      int memory,
      int s,
      int head,
      int heads,
      int first,
      int vectors,
      int from,
      int to,
      int blocksAt,
      int listAt,
      long state) {
    int most = vectorsPerGroup(vectors);
    boolean decode = vectors <= decodeVectors;
    if (decode) {
      mostDecodeVectors = Math.max(mostDecodeVectors, vectors);
    }
    while (works.size() <= 2 * memory + 1) {
      works.add(new Words());
    }
    Words list = works.get(2 * memory + (decode ? 1 : 0));
    for (int v = first; v < first + vectors; v += most) {
      int count = Math.min(most, first + vectors - v);
      list.add(s);
      list.add(head);
      list.add(heads);
      list.add(v);
      list.add(count);
      list.add(from);
      list.add(to);
      list.add(blocksAt);
      list.add(state);
      list.add(listAt);
      list.add(listAt < 0 ? v / heads : lowestListed);
      list.add(listAt < 0 ? (v + count - 1) / heads : highestListed);
    }
  }

  private void fillBlocks(AttentionBatch batch, PagedKv kv, BlockMask mask) {
    long perRange = tilesPerRange(blockTiles(batch, mask));
    int tilesPerBlock = Math.ceilDiv(mask.keyBlock(), AttentionSource.TILE);
    int visitsPerRange = (int) Math.max(1, perRange / tilesPerBlock);
    for (int s = 0; s < batch.sequences(); s++) {
      for (int h = 0; h < spec.kvHeads(); h++) {
        int before = segments.count();
        blocks.clear();
        segments.addPages(kv, s, h, mask.keyBlock(), blocks);
        if (segments.count() > before && batch.rows(s) > 0) {
          fillBlocks(batch, mask, s, h, before, visitsPerRange);
        }
      }
    }
  }

  private static long blockTiles(AttentionBatch batch, BlockMask mask) {
    int last = mask.fullIndptr().length - 1;
    long visits = (long) mask.fullIndptr()[last] + mask.partialIndptr()[last];
    long vectorGroups = Math.ceilDiv(mask.queryBlock(), AttentionSource.PREFILL_VECTORS);
    return visits * vectorGroups * Math.ceilDiv(mask.keyBlock(), AttentionSource.TILE);
  }

  private void fillBlocks(
      AttentionBatch batch, BlockMask mask, int s, int h, int firstSegment, int visitsPerRange) {
    int group = spec.groupSize();
    int rows = batch.rows(s);
    int queryBlocks = Math.ceilDiv(rows, mask.queryBlock());
    boolean perHead = mask.headAxis() == BlockMask.HeadAxis.QUERY_HEAD;
    int lists = perHead ? group : 1;
    int blocksAt = blocks.copyTo(table);
    int keyBlocks = blocks.size() - 1;
    int most = 0;
    for (int l = 0; l < lists; l++) {
      int row = firstCsrRow(mask, s, h * group + l, queryBlocks);
      for (int b = 0; b < queryBlocks; b++) {
        most = Math.max(most, visits(mask, row + b));
      }
    }
    int parts = Math.ceilDiv(most, visitsPerRange);
    int lowest = segments.memory(firstSegment);
    int highest = lowest;
    for (int g = firstSegment; g < segments.count(); g++) {
      lowest = Math.min(lowest, segments.memory(g));
      highest = Math.max(highest, segments.memory(g));
    }
    int memories = highest - lowest + 1;
    setStates(s, h, states, parts * memories);
    for (int l = 0; l < lists; l++) {
      int csrRow = firstCsrRow(mask, s, h * group + l, queryBlocks);
      for (int b = 0; b < queryBlocks; b++) {
        int visitsAt = table.size();
        int visits = addVisits(mask, csrRow + b, keyBlocks);
        int firstRow = b * mask.queryBlock();
        int blockRows = Math.min(mask.queryBlock(), rows - firstRow);
        int heads = perHead ? 1 : group;
        for (int part = 0; part < parts; part++) {
          int from = visitsAt + (int) ((long) visits * part / parts);
          int to = visitsAt + (int) ((long) visits * (part + 1) / parts);
          for (int m = 0; m < memories; m++) {
            long state = states + ((long) part * memories + m) * rows * group;
            addWork(
                lowest + m,
                s,
                h * group + l,
                heads,
                firstRow * heads,
                blockRows * heads,
                from,
                to,
                blocksAt,
                -1,
                state);
          }
        }
      }
    }
    states += (long) parts * memories * rows * group;
  }

  private int firstCsrRow(BlockMask mask, int s, int queryHead, int queryBlocks) {
    return mask.rowOffset()[s] + mask.headIndex(queryHead, spec.groupSize()) * queryBlocks;
  }

  private static int visits(BlockMask mask, int row) {
    return mask.fullIndptr()[row + 1]
        - mask.fullIndptr()[row]
        + mask.partialIndptr()[row + 1]
        - mask.partialIndptr()[row];
  }

  /** Adds the blocks of a row in the order of their keys; those past the keys are left out. */
  private int addVisits(BlockMask mask, int row, int keyBlocks) {
    int before = table.size();
    int full = mask.fullIndptr()[row];
    int partial = mask.partialIndptr()[row];
    int fullEnd = mask.fullIndptr()[row + 1];
    int partialEnd = mask.partialIndptr()[row + 1];
    while (full < fullEnd || partial < partialEnd) {
      boolean takeFull =
          partial == partialEnd
              || full < fullEnd && mask.fullIndices()[full] < mask.partialIndices()[partial];
      int block = takeFull ? mask.fullIndices()[full++] : mask.partialIndices()[partial++];
      if (block < keyBlocks) {
        table.add(2L * block + (takeFull ? 1 : 0));
      }
    }
    return table.size() - before;
  }

  private void fillGathered(AttentionBatch batch, PagedKv kv, GatheredKeys keys) {
    for (int i = 0; i < 3 * batch.totalRows() * spec.queryHeads(); i++) {
      places.add(0);
    }
    long tiles = 0;
    for (int g = 0; g < keys.groups(); g++) {
      long entries = keys.keyIndptr()[g + 1] - keys.keyIndptr()[g];
      long rows = keys.rowIndptr()[g + 1] - keys.rowIndptr()[g];
      long groups = Math.ceilDiv(rows, (long) vectorsPerGroup(rows));
      tiles += groups * Math.ceilDiv(entries, (long) AttentionSource.TILE);
    }
    long perRange = tilesPerRange(tiles);
    for (int g = 0; g < keys.groups(); g++) {
      int rows = keys.rowIndptr()[g + 1] - keys.rowIndptr()[g];
      int from = segments.count();
      segments.addGathered(keys, g, kv);
      int to = segments.count();
      if (rows == 0 || from == to) {
        continue;
      }
      int listAt = addRows(keys, g);
      long first = states;
      int ranges = 0;
      while (from < to) {
        int end = endOfRange(from, to, perRange);
        addWork(keys.sequence()[g], keys.queryHead()[g], 1, 0, rows, from, end, -1, listAt);
        states += rows;
        ranges++;
        from = end;
      }
      placeRows(batch, keys, g, first, ranges, rows);
    }
    table.set(13, places.copyTo(table));
  }

  private int addRows(GatheredKeys keys, int g) {
    int listAt = table.size();
    lowestListed = Integer.MAX_VALUE;
    highestListed = -1;
    for (int i = keys.rowIndptr()[g]; i < keys.rowIndptr()[g + 1]; i++) {
      int row = keys.rowIndices()[i];
      table.add(row);
      lowestListed = Math.min(lowestListed, row);
      highestListed = Math.max(highestListed, row);
    }
    return listAt;
  }

  private void placeRows(
      AttentionBatch batch, GatheredKeys keys, int g, long firstState, int ranges, int rows) {
    for (int i = 0; i < rows; i++) {
      long row =
          (long) batch.firstRow(keys.sequence()[g]) + keys.rowIndices()[keys.rowIndptr()[g] + i];
      int at = Math.toIntExact(3 * (row * spec.queryHeads() + keys.queryHead()[g]));
      places.set(at, firstState + i);
      places.set(at + 1, ranges);
      places.set(at + 2, rows);
    }
  }

  private void fillLaunches() {
    for (int i = 0; i < works.size(); i++) {
      Words work = works.get(i);
      if (work.size() > 0) {
        int workAt = work.copyTo(table);
        launches.add(new Launch(i / 2, i % 2 == 1, workAt, work.size() / WORK_WORDS));
      }
    }
  }

  @Override
  public void close() {
    table.close();
  }
}
