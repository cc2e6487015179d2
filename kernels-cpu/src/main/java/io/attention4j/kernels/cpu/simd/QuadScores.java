package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.LANES;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.Masks;
import io.attention4j.engine.attention.Normalizer;
import io.attention4j.engine.attention.ScoreModifier;
import io.attention4j.kernels.cpu.attention.MaskBounds;
import java.util.Arrays;

/**
 * What stands between q . k and the weight in {@link Decode}: modifiers, key biases and the mask,
 * on a run of scores [keys][4] of every quad. Units are those of {@link TileScores}.
 */
final class QuadScores {
  /** Keys by which a chunk's scores are longer than it: {@link #fill} and {@link LaneSums}. */
  static final int SLACK_KEYS = 8;

  private final AttentionSpec spec;
  private final MaskBounds mask;
  private final TileScores scoring;
  private final boolean alibi;

  QuadScores(AttentionSpec spec, MaskBounds mask, TileScores scoring) {
    this.spec = spec;
    this.mask = mask;
    this.scoring = scoring;
    alibi = spec.modifiers().stream().anyMatch(ScoreModifier.Alibi.class::isInstance);
  }

  /** Whether a run's positions are read even if its mask is not. */
  boolean needsPositions() {
    return alibi;
  }

  /**
   * Applies modifiers and the biases of the room.
   *
   * @param slot of the first key, if slots matter
   * @param key index of the first key in the chunk
   * @param biased whether the room has biases
   */
  void modify(
      AttentionBatch batch,
      int sequence,
      DecodeRoom room,
      int[] slots,
      int slot,
      int key,
      int keys,
      boolean biased) {
    if (spec.modifiers().isEmpty() && !biased) {
      return;
    }
    for (int r = 0; r < room.rows; r++) {
      int from = room.scoresAt(r / 4, key);
      if (r % 4 == 0) {
        modifyQuad(batch, sequence, room, slots, slot, r, from, keys);
      }
      if (biased) {
        for (int k = 0; k < keys; k++) {
          room.scores[from + 4 * k + r % 4] += room.bias[k] * scoring.unit();
        }
      }
    }
  }

  private void modifyQuad(
      AttentionBatch batch,
      int sequence,
      DecodeRoom room,
      int[] slots,
      int slot,
      int row,
      int from,
      int keys) {
    if (spec.modifiers().isEmpty()) {
      return;
    }
    float[] s = room.scores;
    int rows = Math.min(4, room.rows - row);
    for (int i = 0; i < spec.modifiers().size(); i++) {
      switch (spec.modifiers().get(i)) {
        case ScoreModifier.SoftCap cap -> Exp2.softCap(s, from, from + 4 * keys, cap.cap());
        case ScoreModifier.Alibi slopes -> {
          for (int r = 0; r < rows; r++) {
            float slope = slopes.slopes().get(room.head[row + r]);
            for (int k = 0; k < keys; k++) {
              s[from + 4 * k + r] -= slope * Math.abs(room.row[row + r] - room.position[k]);
            }
          }
        }
        case ScoreModifier.AdditiveBias bias -> {
          for (int r = 0; r < rows; r++) {
            for (int k = 0; k < keys; k++) {
              int at = slots == null ? slot + k : slots[slot + k];
              s[from + 4 * k + r] +=
                  Masks.bias(batch, sequence, room.head[row + r], room.row[row + r], at);
            }
          }
        }
        case ScoreModifier.Custom custom ->
            throw new IllegalStateException("custom modifiers are refused before");
      }
    }
    for (int k = from; k < from + 4 * keys; k++) {
      s[k] *= scoring.unit();
    }
  }

  /** Hides keys from the rows that do not see them; positions are those of the room. */
  void hide(
      AttentionBatch batch,
      int sequence,
      DecodeRoom room,
      int[] slots,
      int slot,
      int key,
      int keys) {
    for (int r = 0; r < room.rows; r++) {
      int from = room.scoresAt(r / 4, key) + r % 4;
      for (int k = 0; k < keys; k++) {
        int position = room.position[k];
        boolean visible = position >= room.first[r] && position <= room.last[r];
        if (visible && !mask.exact()) {
          long absolute = batch.firstPosition(sequence) + position;
          int at = slots == null ? slot + k : slots[slot + k];
          visible =
              Masks.visible(mask.mask(), batch, sequence, room.head[r], room.row[r], at, absolute);
        }
        if (!visible) {
          room.scores[from + 4 * k] = scoring.hidden();
        }
      }
    }
  }

  /** Hidden keys fill the last two vectors of a quad's chunk; returns where they end. */
  int fill(DecodeRoom room, int quad) {
    int end = room.scoresAt(quad, room.keys);
    int start = room.scoresAt(quad, 0);
    int padded = start + Math.ceilDiv(end - start, 2 * LANES) * 2 * LANES;
    Arrays.fill(room.scores, end, padded, scoring.hidden());
    return padded;
  }

  /** Scores of a quad's chunk to weights times {@code factor}, in place. */
  void weigh(DecodeRoom room, int quad, float factor) {
    int from = room.scoresAt(quad, 0);
    int to = fill(room, quad);
    switch (spec.normalizer()) {
      case Normalizer.Softmax softmax ->
          QuadWeights.softmax(
              room.scores, from, to, factor, room.max, room.sum, 4 * quad, room.scratch);
      case Normalizer.Sigmoid sigmoid ->
          QuadWeights.sigmoid(room.scores, from, to, sigmoid.bias() * scoring.unit(), factor);
      case Normalizer.None none -> QuadWeights.plain(room.scores, from, to);
    }
  }
}
