package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.Masks;
import io.attention4j.engine.attention.Normalizer;
import io.attention4j.engine.attention.ScoreModifier;
import io.attention4j.kernels.cpu.attention.MaskBounds;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/**
 * What stands between q . k and the weight: modifiers, key biases and the mask, on a tile of scores
 * [keys, WIDTH]. Scores leave in the unit of the normaliser: times log2(e) for softmax, times
 * -log2(e) for sigmoid. Without modifiers that factor is part of the queries and nothing is done
 * here.
 */
final class TileScores {
  private static final int WIDTH = QueryLanes.WIDTH;

  private final AttentionSpec spec;
  private final MaskBounds mask;
  private final float unit;
  private final float hidden;

  TileScores(AttentionSpec spec, MaskBounds mask) {
    this.spec = spec;
    this.mask = mask;
    unit =
        switch (spec.normalizer()) {
          case Normalizer.Softmax softmax -> Exp2.LOG2_E;
          case Normalizer.Sigmoid sigmoid -> -Exp2.LOG2_E;
          case Normalizer.None none -> 1f;
        };
    hidden =
        switch (spec.normalizer()) {
          case Normalizer.Softmax softmax -> Float.NEGATIVE_INFINITY;
          case Normalizer.Sigmoid sigmoid -> Float.POSITIVE_INFINITY;
          case Normalizer.None none -> Float.NEGATIVE_INFINITY;
        };
  }

  /** Factor of q: the scale and, if no modifier needs natural units, the normaliser's unit. */
  float queryFactor() {
    return spec.modifiers().isEmpty() ? spec.scale() * unit : spec.scale();
  }

  /** Factor from natural scores to those of the normaliser. */
  float unit() {
    return unit;
  }

  /** Score of a hidden key, in the normaliser's unit. */
  float hidden() {
    return hidden;
  }

  /** Applies modifiers and biases to keys [from, to). */
  void modify(
      AttentionBatch batch, QueryLanes lanes, int t, KeyTile keys, float[] s, int from, int to) {
    if (!spec.modifiers().isEmpty()) {
      for (int i = 0; i < spec.modifiers().size(); i++) {
        switch (spec.modifiers().get(i)) {
          case ScoreModifier.SoftCap cap -> Exp2.softCap(s, from * WIDTH, to * WIDTH, cap.cap());
          case ScoreModifier.Alibi alibi -> alibi(alibi, lanes, t, keys, s, from, to);
          case ScoreModifier.AdditiveBias bias -> additiveBias(batch, lanes, t, keys, s, from, to);
          case ScoreModifier.Custom custom ->
              throw new IllegalStateException("custom modifiers are refused before");
        }
      }
      for (int at = from * WIDTH; at < to * WIDTH; at += LANES) {
        FloatVector.fromArray(FLOAT, s, at).mul(unit).intoArray(s, at);
      }
    }
    if (keys.biased) {
      for (int k = from; k < to; k++) {
        float bias = keys.bias[k] * unit;
        for (int at = k * WIDTH; at < (k + 1) * WIDTH; at += LANES) {
          FloatVector.fromArray(FLOAT, s, at).add(bias).intoArray(s, at);
        }
      }
    }
  }

  private static void alibi(
      ScoreModifier.Alibi alibi,
      QueryLanes lanes,
      int t,
      KeyTile keys,
      float[] s,
      int from,
      int to) {
    for (int lane = 0; lane < WIDTH; lane++) {
      float slope = alibi.slopes().get(lanes.head[t * WIDTH + lane]);
      int row = lanes.row[t * WIDTH + lane];
      for (int k = from; k < to; k++) {
        s[k * WIDTH + lane] -= slope * Math.abs(row - keys.position[k]);
      }
    }
  }

  private static void additiveBias(
      AttentionBatch batch, QueryLanes lanes, int t, KeyTile keys, float[] s, int from, int to) {
    for (int lane = 0; lane < WIDTH; lane++) {
      int head = lanes.head[t * WIDTH + lane];
      int row = lanes.row[t * WIDTH + lane];
      for (int k = from; k < to; k++) {
        s[k * WIDTH + lane] += Masks.bias(batch, lanes.sequence, head, row, keys.slot[k]);
      }
    }
  }

  /** Hides keys [from, to) from the lanes of tile t that do not see them. */
  void hide(
      AttentionBatch batch, QueryLanes lanes, int t, KeyTile keys, float[] s, int from, int to) {
    if (mask.exact()) {
      hideOutsideInterval(lanes, t, keys, s, from, to);
    } else {
      hidePairs(batch, lanes, t, keys, s, from, to);
    }
  }

  private void hideOutsideInterval(
      QueryLanes lanes, int t, KeyTile keys, float[] s, int from, int to) {
    FloatVector fill = FloatVector.broadcast(FLOAT, hidden);
    for (int v = 0; v < WIDTH; v += LANES) {
      IntVector first = IntVector.fromArray(Species.INT, lanes.first, t * WIDTH + v);
      IntVector last = IntVector.fromArray(Species.INT, lanes.last, t * WIDTH + v);
      for (int k = from; k < to; k++) {
        int position = keys.position[k];
        VectorMask<Integer> outside =
            first
                .compare(VectorOperators.GT, position)
                .or(last.compare(VectorOperators.LT, position));
        int at = k * WIDTH + v;
        FloatVector.fromArray(FLOAT, s, at).blend(fill, outside.cast(FLOAT)).intoArray(s, at);
      }
    }
  }

  private void hidePairs(
      AttentionBatch batch, QueryLanes lanes, int t, KeyTile keys, float[] s, int from, int to) {
    for (int lane = 0; lane < WIDTH; lane++) {
      int head = lanes.head[t * WIDTH + lane];
      int row = lanes.row[t * WIDTH + lane];
      for (int k = from; k < to; k++) {
        long position = batch.firstPosition(lanes.sequence) + keys.position[k];
        if (!Masks.visible(mask.mask(), batch, lanes.sequence, head, row, keys.slot[k], position)) {
          s[k * WIDTH + lane] = hidden;
        }
      }
    }
  }
}
