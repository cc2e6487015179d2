package io.attention4j.kernels.cpu;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.AttentionInputs;
import io.attention4j.engine.attention.AttentionOutputs;
import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.GatheredKeys;
import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.Masks;
import io.attention4j.engine.attention.Normalizer;
import io.attention4j.engine.attention.OnlineSoftmax;
import io.attention4j.engine.attention.ScoreModifier;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.attention.MaskBounds;
import io.attention4j.kernels.cpu.attention.PageFormat;
import io.attention4j.kernels.cpu.attention.PageReader;
import io.attention4j.kernels.cpu.attention.TileTable;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Some rows of one query head and the key tile at hand. Products are f32; maxima, exponentials and
 * sums of weights are f64. One per worker.
 */
final class ScalarRows {
  private final AttentionSpec spec;
  private final MaskBounds mask;
  private final TileTable table;

  private AttentionBatch batch;
  private AttentionInputs in;
  private int sequence;
  private int head;

  // State of each row: [rows] or [rows, dim].
  private int count;
  private final int[] row;
  private final float[] q;
  private final double[] max;
  private final double[] sum;
  private final float[] weighted;

  // The tile at hand: [keys] or [keys, dim].
  private final float[] keys;
  private final float[] values;
  private final int[] slot = new int[TileTable.KEYS];
  private final long[] position = new long[TileTable.KEYS];
  private final float[] bias = new float[TileTable.KEYS];
  private final double[] score = new double[TileTable.KEYS];

  ScalarRows(AttentionSpec spec, MaskBounds mask, TileTable table, int mostRows) {
    this.spec = spec;
    this.mask = mask;
    this.table = table;
    row = new int[mostRows];
    q = new float[mostRows * spec.headDim()];
    max = new double[mostRows];
    sum = new double[mostRows];
    weighted = new float[mostRows * spec.valueDim()];
    keys = new float[TileTable.KEYS * spec.headDim()];
    values = new float[TileTable.KEYS * spec.valueDim()];
  }

  /** Starts with no rows. */
  void begin(AttentionBatch ofBatch, AttentionInputs inputs, int ofSequence, int queryHead) {
    batch = ofBatch;
    in = inputs;
    sequence = ofSequence;
    head = queryHead;
    count = 0;
  }

  /** Adds a row of the sequence. */
  void add(int ofRow) {
    Tensor tensor = in.q();
    int dim = spec.headDim();
    long element = (batch.firstRow(sequence) + ofRow) * tensor.stride(0) + head * tensor.stride(1);
    long from = tensor.byteOffset() + element * Float.BYTES;
    MemorySegment memory = PageFormat.host(tensor.storage());
    MemorySegment.copy(memory, Tensor.FLOAT, from, q, count * dim, dim);
    row[count] = ofRow;
    max[count] = Double.NEGATIVE_INFINITY;
    sum[count] = 0;
    Arrays.fill(weighted, count * spec.valueDim(), (count + 1) * spec.valueDim(), 0);
    count++;
  }

  /** Whether the mask may show relative positions [lowest, highest] to some row. */
  boolean touch(int lowest, int highest) {
    for (int r = 0; r < count; r++) {
      if (highest >= mask.first(batch, sequence, row[r])
          && lowest <= mask.last(batch, sequence, row[r])) {
        return true;
      }
    }
    return false;
  }

  /** Attends to {@code n} keys from slot {@code first} on, at most a tile. */
  void attend(int first, int n, boolean masked) {
    int kvHead = head / spec.groupSize();
    int tile = first / TileTable.KEYS;
    int p = table.page(sequence, kvHead, tile);
    int at = table.slotInPage(sequence, kvHead, tile) + first % TileTable.KEYS;
    for (int k = 0; k < n; ) {
      KvPage page = in.kv().page(sequence, kvHead, p++);
      if (at >= page.length()) {
        at -= page.length();
        continue;
      }
      int run = Math.min(page.length() - at, n - k);
      load(page, at, run, first + k, k);
      at = 0;
      k += run;
    }
    attendTile(n, masked);
  }

  /** Attends to entries [from, from + n) of a gathered selection, at most a tile. */
  void attendGathered(GatheredKeys gathered, int from, int n) {
    int kvHead = head / spec.groupSize();
    for (int k = 0; k < n; k++) {
      int wanted = gathered.keyIndices()[from + k];
      int tile = wanted / TileTable.KEYS;
      int p = table.page(sequence, kvHead, tile);
      int at = table.slotInPage(sequence, kvHead, tile) + wanted % TileTable.KEYS;
      KvPage page = in.kv().page(sequence, kvHead, p);
      while (at >= page.length()) {
        at -= page.length();
        page = in.kv().page(sequence, kvHead, ++p);
      }
      load(page, at, 1, wanted, k);
      if (gathered.entryBias() != null) {
        bias[k] += gathered.entryBias()[from + k];
      }
    }
    attendTile(n, true);
  }

  private void load(KvPage page, int at, int run, int firstSlot, int k) {
    PageReader.keys(page, at, run, keys, k * spec.headDim());
    PageReader.values(page, at, run, values, k * spec.valueDim());
    for (int i = 0; i < run; i++) {
      slot[k + i] = firstSlot + i;
      position[k + i] = page.position(at + i);
      bias[k + i] = page.bias() == null ? 0 : page.bias()[at + i];
    }
  }

  private void attendTile(int n, boolean masked) {
    for (int r = 0; r < count; r++) {
      double top = Double.NEGATIVE_INFINITY;
      for (int k = 0; k < n; k++) {
        score[k] = score(r, k, masked);
        top = Math.max(top, score[k]);
      }
      if (top == Double.NEGATIVE_INFINITY) {
        continue;
      }
      if (spec.normalizer() instanceof Normalizer.Softmax && !(top <= max[r])) {
        raise(r, top);
      }
      for (int k = 0; k < n; k++) {
        // A hidden key counts nothing, whatever its value holds.
        if (score[k] != Double.NEGATIVE_INFINITY) {
          double weight = weight(score[k], max[r]);
          sum[r] += weight;
          addValue(r, k, (float) weight);
        }
      }
    }
  }

  /** x(i, j), or -inf if the row does not see the key. */
  private double score(int r, int k, boolean masked) {
    if (masked
        && !Masks.visible(spec.mask(), batch, sequence, head, row[r], slot[k], position[k])) {
      return Double.NEGATIVE_INFINITY;
    }
    double x = spec.scale() * dot(r * spec.headDim(), k * spec.headDim());
    long queryPosition = batch.firstPosition(sequence) + row[r];
    for (int i = 0; i < spec.modifiers().size(); i++) {
      x =
          switch (spec.modifiers().get(i)) {
            case ScoreModifier.SoftCap cap -> cap.cap() * Math.tanh(x / cap.cap());
            case ScoreModifier.Alibi alibi ->
                x - alibi.slopes().get(head) * (double) Math.abs(queryPosition - position[k]);
            case ScoreModifier.AdditiveBias added ->
                x + Masks.bias(batch, sequence, head, row[r], slot[k]);
            case ScoreModifier.Custom custom ->
                custom.function().apply(x, sequence, head, queryPosition, position[k]);
          };
    }
    return x + bias[k];
  }

  /** q . k in four partial sums, which the processor can overlap. */
  private float dot(int qAt, int keyAt) {
    float a = 0;
    float b = 0;
    float c = 0;
    float d = 0;
    int i = 0;
    for (; i + 4 <= spec.headDim(); i += 4) {
      a += q[qAt + i] * keys[keyAt + i];
      b += q[qAt + i + 1] * keys[keyAt + i + 1];
      c += q[qAt + i + 2] * keys[keyAt + i + 2];
      d += q[qAt + i + 3] * keys[keyAt + i + 3];
    }
    for (; i < spec.headDim(); i++) {
      a += q[qAt + i] * keys[keyAt + i];
    }
    return (a + b) + (c + d);
  }

  private void raise(int r, double top) {
    double correction = Math.exp(max[r] - top);
    max[r] = top;
    sum[r] *= correction;
    for (int d = r * spec.valueDim(); d < (r + 1) * spec.valueDim(); d++) {
      weighted[d] *= (float) correction;
    }
  }

  private double weight(double x, double top) {
    return switch (spec.normalizer()) {
      case Normalizer.Softmax softmax -> Math.exp(x - top);
      case Normalizer.Sigmoid sigmoid -> 1 / (1 + Math.exp(-(x + sigmoid.bias())));
      case Normalizer.None none -> x;
    };
  }

  private void addValue(int r, int k, float weight) {
    int dim = spec.valueDim();
    for (int d = 0; d < dim; d++) {
      weighted[r * dim + d] += weight * values[k * dim + d];
    }
  }

  /** Writes every row. */
  void write(AttentionOutputs out) {
    boolean softmax = spec.normalizer() instanceof Normalizer.Softmax;
    int dim = spec.valueDim();
    for (int r = 0; r < count; r++) {
      double lse = sum[r] == 0 ? Double.NEGATIVE_INFINITY : max[r] + Math.log(sum[r]);
      double total =
          spec.sinks().isEmpty() ? lse : OnlineSoftmax.logAddExp(lse, spec.sinks().get(head));
      double factor = 1;
      if (softmax) {
        factor = lse == Double.NEGATIVE_INFINITY ? 0 : Math.exp(lse - total) / sum[r];
      }
      long outRow = batch.firstRow(sequence) + row[r];
      Tensor tensor = out.out();
      long element = outRow * tensor.stride(0) + head * tensor.stride(1);
      long at = tensor.byteOffset() + element * Float.BYTES;
      MemorySegment memory = PageFormat.host(tensor.storage());
      for (int d = 0; d < dim; d++) {
        float value = (float) (factor * weighted[r * dim + d]);
        memory.set(Tensor.FLOAT, at + (long) d * Float.BYTES, value);
      }
      if (out.lse() != null) {
        long index = outRow * spec.queryHeads() + head;
        PageFormat.host(out.lse().storage())
            .set(Tensor.FLOAT, out.lse().byteOffset() + index * Float.BYTES, (float) total);
      }
    }
  }
}
