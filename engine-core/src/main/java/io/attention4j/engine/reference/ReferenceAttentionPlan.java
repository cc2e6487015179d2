package io.attention4j.engine.reference;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.AttentionInputs;
import io.attention4j.engine.attention.AttentionOutputs;
import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.BlockMask;
import io.attention4j.engine.attention.BlockMaxima;
import io.attention4j.engine.attention.GatheredKeys;
import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.Masks;
import io.attention4j.engine.attention.Normalizer;
import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.attention.ScoreModifier;
import io.attention4j.engine.attention.Selection;
import io.attention4j.engine.spi.AttentionChecks;
import io.attention4j.engine.spi.AttentionPlan;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * For every (sequence, query head, row): list the candidate keys, score them, turn scores into
 * weights, add up values.
 */
final class ReferenceAttentionPlan implements AttentionPlan {
  private final AttentionSpec spec;
  private final AttentionChecks checks;

  // Keys and values of the (sequence, KV head) at hand, slot by slot.
  private int keys;
  private double[] key = {};
  private double[] value = {};
  private long[] position = {};
  private double[] slotBias = {};

  // Candidates of the row at hand: slots, whether the mask is evaluated, bias of the entry.
  private int candidates;
  private int[] slot = {};
  private boolean[] masked = {};
  private double[] entryBias = {};
  private double[] score = {};
  private double[] weightedSum = {};

  ReferenceAttentionPlan(AttentionSpec spec) {
    this.spec = spec;
    this.checks = new AttentionChecks(spec, true);
  }

  @Override
  public void run(AttentionBatch batch, AttentionInputs in, AttentionOutputs out) {
    checks.require(batch, in, out);
    for (int s = 0; s < batch.sequences(); s++) {
      for (int h = 0; h < spec.queryHeads(); h++) {
        if (h % spec.groupSize() == 0) {
          load(in.kv(), s, h / spec.groupSize());
        }
        if (in.selection() instanceof Selection.Gathered(GatheredKeys gathered)) {
          runGroups(gathered, batch, in.q(), s, h, out);
        } else {
          for (int row = 0; row < batch.rows(s); row++) {
            if (in.selection() instanceof Selection.Blocks(BlockMask blocks)) {
              selectBlocks(blocks, batch, s, h, row);
            } else {
              selectAll();
            }
            attend(batch, in.q(), s, h, row, out);
          }
        }
      }
    }
  }

  private void load(PagedKv kv, int sequence, int kvHead) {
    keys = Math.toIntExact(kv.length(sequence, kvHead));
    key = grown(key, keys * spec.headDim());
    value = grown(value, keys * spec.valueDim());
    slotBias = grown(slotBias, keys);
    if (position.length < keys) {
      position = new long[keys];
    }
    reserve(keys);
    int at = 0;
    for (int p = 0; p < kv.pageCount(sequence, kvHead); p++) {
      KvPage page = kv.page(sequence, kvHead, p);
      HostPages.decode(
          page.keys(),
          page.keyOffset(),
          page.keyFormat(),
          page.capacity(),
          spec.headDim(),
          page.length(),
          key,
          at * spec.headDim());
      HostPages.decode(
          page.values(),
          page.valueOffset(),
          page.valueFormat(),
          page.capacity(),
          spec.valueDim(),
          page.length(),
          value,
          at * spec.valueDim());
      for (int i = 0; i < page.length(); i++) {
        position[at] = page.position(i);
        slotBias[at] = page.bias() == null ? 0 : page.bias()[i];
        at++;
      }
    }
  }

  private void selectAll() {
    candidates = keys;
    for (int j = 0; j < keys; j++) {
      slot[j] = j;
      masked[j] = true;
      entryBias[j] = 0;
    }
  }

  private void selectBlocks(BlockMask mask, AttentionBatch batch, int s, int h, int row) {
    int queryBlocks = Math.ceilDiv(batch.rows(s), mask.queryBlock());
    int head = mask.headIndex(h, spec.groupSize());
    int blockRow = mask.rowOffset()[s] + head * queryBlocks + row / mask.queryBlock();
    candidates = 0;
    int full = mask.fullIndptr()[blockRow];
    int partial = mask.partialIndptr()[blockRow];
    int fullEnd = mask.fullIndptr()[blockRow + 1];
    int partialEnd = mask.partialIndptr()[blockRow + 1];
    // Both lists ascend; merging them keeps the keys in order.
    while (full < fullEnd || partial < partialEnd) {
      boolean takeFull =
          partial == partialEnd
              || full < fullEnd && mask.fullIndices()[full] < mask.partialIndices()[partial];
      int block = takeFull ? mask.fullIndices()[full++] : mask.partialIndices()[partial++];
      long end = Math.min(keys, (block + 1L) * mask.keyBlock());
      for (long j = (long) block * mask.keyBlock(); j < end; j++) {
        slot[candidates] = (int) j;
        masked[candidates] = !takeFull;
        entryBias[candidates++] = 0;
      }
    }
  }

  private void runGroups(
      GatheredKeys gathered, AttentionBatch batch, Tensor q, int s, int h, AttentionOutputs out) {
    candidates = 0;
    for (int row = 0; row < batch.rows(s); row++) {
      attend(batch, q, s, h, row, out);
    }
    for (int g = 0; g < gathered.groups(); g++) {
      if (gathered.sequence()[g] != s || gathered.queryHead()[g] != h) {
        continue;
      }
      int from = gathered.keyIndptr()[g];
      candidates = gathered.keyIndptr()[g + 1] - from;
      reserve(candidates);
      for (int c = 0; c < candidates; c++) {
        slot[c] = gathered.keyIndices()[from + c];
        masked[c] = true;
        entryBias[c] = gathered.entryBias() == null ? 0 : gathered.entryBias()[from + c];
      }
      for (int i = gathered.rowIndptr()[g]; i < gathered.rowIndptr()[g + 1]; i++) {
        attend(batch, q, s, h, gathered.rowIndices()[i], out);
      }
    }
  }

  /** One row of one head over the candidates. */
  private void attend(AttentionBatch batch, Tensor q, int s, int h, int row, AttentionOutputs out) {
    long outRow = batch.firstRow(s) + row;
    double max = Double.NEGATIVE_INFINITY;
    for (int c = 0; c < candidates; c++) {
      score[c] = score(batch, q, s, h, row, c);
      max = Math.max(max, score[c]);
    }
    if (out.maxima() != null) {
      writeMaxima(out.maxima(), outRow * spec.queryHeads() + h);
    }
    double sink = spec.sinks().isEmpty() ? Double.NEGATIVE_INFINITY : spec.sinks().get(h);
    max = Math.max(max, sink);
    double sum = max == Double.NEGATIVE_INFINITY ? 0 : Math.exp(sink - max);
    weightedSum = grown(weightedSum, spec.valueDim());
    Arrays.fill(weightedSum, 0);
    for (int c = 0; c < candidates; c++) {
      if (score[c] == Double.NEGATIVE_INFINITY) {
        continue; // hidden: what its value holds must not matter
      }
      double weight =
          switch (spec.normalizer()) {
            case Normalizer.Softmax softmax -> Math.exp(score[c] - max);
            case Normalizer.Sigmoid sigmoid ->
                ReferenceActivation.sigmoid(score[c] + sigmoid.bias());
            case Normalizer.None none -> score[c];
          };
      sum += weight;
      for (int d = 0; d < spec.valueDim(); d++) {
        weightedSum[d] += weight * value[slot[c] * spec.valueDim() + d];
      }
    }
    boolean softmax = spec.normalizer() instanceof Normalizer.Softmax;
    double divisor = softmax && max != Double.NEGATIVE_INFINITY ? sum : 1;
    long first = outRow * out.out().stride(0) + h * out.out().stride(1);
    MemorySegment result = out.out().segment();
    for (int d = 0; d < spec.valueDim(); d++) {
      result.setAtIndex(Tensor.FLOAT, first + d, (float) (weightedSum[d] / divisor));
    }
    if (out.lse() != null) {
      double lse = max == Double.NEGATIVE_INFINITY ? max : max + Math.log(sum);
      out.lse().segment().setAtIndex(Tensor.FLOAT, outRow * spec.queryHeads() + h, (float) lse);
    }
  }

  private void writeMaxima(BlockMaxima maxima, long row) {
    MemorySegment scores = maxima.scores().segment();
    for (int b = 0; b < maxima.blocks(); b++) {
      double most = Double.NEGATIVE_INFINITY;
      long first = (long) b * maxima.keyBlock();
      for (long c = first; c < Math.min(candidates, first + maxima.keyBlock()); c++) {
        most = Math.max(most, score[(int) c]);
      }
      scores.setAtIndex(Tensor.FLOAT, row * maxima.blocks() + b, (float) most);
    }
  }

  /** x(i, j), or -inf if the row does not see the candidate. */
  private double score(AttentionBatch batch, Tensor q, int s, int h, int row, int candidate) {
    int j = slot[candidate];
    if (masked[candidate] && !Masks.visible(spec.mask(), batch, s, h, row, j, position[j])) {
      return Double.NEGATIVE_INFINITY;
    }
    long first = (batch.firstRow(s) + row) * q.stride(0) + h * q.stride(1);
    MemorySegment queries = q.segment();
    double dot = 0;
    for (int d = 0; d < spec.headDim(); d++) {
      dot += queries.getAtIndex(Tensor.FLOAT, first + d) * key[j * spec.headDim() + d];
    }
    double x = spec.scale() * dot;
    long queryPosition = batch.firstPosition(s) + row;
    for (ScoreModifier modifier : spec.modifiers()) {
      x =
          switch (modifier) {
            case ScoreModifier.SoftCap cap -> cap.cap() * Math.tanh(x / cap.cap());
            case ScoreModifier.Alibi alibi ->
                x - alibi.slopes().get(h) * (double) Math.abs(queryPosition - position[j]);
            case ScoreModifier.AdditiveBias bias -> x + Masks.bias(batch, s, h, row, j);
            case ScoreModifier.Custom custom ->
                custom.function().apply(x, s, h, queryPosition, position[j]);
          };
    }
    return x + slotBias[j] + entryBias[candidate];
  }

  private void reserve(int entries) {
    if (slot.length < entries) {
      slot = new int[entries];
      masked = new boolean[entries];
      entryBias = new double[entries];
      score = new double[entries];
    }
  }

  private static double[] grown(double[] array, int length) {
    return array.length < length ? new double[length] : array;
  }

  @Override
  public void close() {}
}
