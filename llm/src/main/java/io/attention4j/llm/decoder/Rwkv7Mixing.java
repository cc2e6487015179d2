package io.attention4j.llm.decoder;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.RecurrentState;

/** The small steps of an RWKV-7 layer, in host memory; row by row, so that cuts change no bit. */
final class Rwkv7Mixing {
  /** Below this norm a removal key is left as it is, as the authors' code has it. */
  private static final double LEAST_NORM = 1e-12;

  private final int dim;
  private final int headDim;

  Rwkv7Mixing(int dim, int headDim) {
    this.dim = dim;
    this.headDim = headDim;
  }

  /**
   * mixed_m = x + (previous x - x) lerp_m; the first row of a sequence has its previous row in the
   * state, which then holds the last.
   *
   * @param lerp [mixes, dim]
   * @param shift index of the state's tensor
   */
  void shift(
      AttentionBatch batch, LayerState[] states, int shift, Floats x, Floats lerp, Floats[] mixed) {
    for (int s = 0; s < batch.sequences(); s++) {
      Floats last = Floats.of(((RecurrentState) states[s]).tensor(shift));
      long first = batch.firstRow(s);
      long rows = batch.rows(s);
      for (int m = 0; m < mixed.length; m++) {
        mix(x, last, 0, first, lerp, m, mixed[m]);
        for (long row = first + 1; row < first + rows; row++) {
          mix(x, x, (row - 1) * dim, row, lerp, m, mixed[m]);
        }
      }
      last.copy(0, x, (first + rows - 1) * dim, dim);
    }
  }

  private void mix(
      Floats x, Floats before, long beforeAt, long row, Floats lerp, int m, Floats out) {
    for (int i = 0; i < dim; i++) {
      float now = x.get(row * dim + i);
      float change = before.get(beforeAt + i) - now;
      out.set(row * dim + i, now + change * lerp.get((long) m * dim + i));
    }
  }

  /** read = -kk, write = kk rate, k = k (1 + (rate - 1) scale), with kk the unit of k * removal. */
  void keys(
      int rows, Floats k, Floats rate, Floats removal, Floats scale, Floats read, Floats write) {
    for (long head = 0; head < (long) rows * dim; head += headDim) {
      int channel = (int) (head % dim);
      double square = 0;
      for (int i = 0; i < headDim; i++) {
        double value = k.get(head + i) * (double) removal.get(channel + i);
        square += value * value;
      }
      double inverse = 1 / Math.max(Math.sqrt(square), LEAST_NORM);
      for (int i = 0; i < headDim; i++) {
        float key = k.get(head + i);
        float a = rate.get(head + i);
        float unit = (float) (key * (double) removal.get(channel + i) * inverse);
        read.set(head + i, -unit);
        write.set(head + i, unit * a);
        k.set(head + i, key * (1 + (a - 1) * scale.get(channel + i)));
      }
    }
  }

  /** v = v + (first - v) share. */
  void values(int rows, Floats v, Floats first, Floats share) {
    for (long i = 0; i < (long) rows * dim; i++) {
      float value = v.get(i);
      v.set(i, value + (first.get(i) - value) * share.get(i));
    }
  }

  /**
   * out = (norm of each head (out) weight + bias + (sum r k bonus) v) gate.
   *
   * @param epsilon added to the variance of a head
   */
  void outputs(int rows, Floats out, HeadNorm norm, Floats r, Floats k, Floats v, Floats gate) {
    for (long head = 0; head < (long) rows * dim; head += headDim) {
      int channel = (int) (head % dim);
      double mean = 0;
      double own = 0;
      for (int i = 0; i < headDim; i++) {
        mean += out.get(head + i);
        own += (double) r.get(head + i) * k.get(head + i) * norm.bonus.get(channel + i);
      }
      mean /= headDim;
      double variance = 0;
      for (int i = 0; i < headDim; i++) {
        double centred = out.get(head + i) - mean;
        variance += centred * centred;
      }
      double inverse = 1 / Math.sqrt(variance / headDim + norm.epsilon);
      for (int i = 0; i < headDim; i++) {
        double normed =
            (out.get(head + i) - mean) * inverse * norm.weight.get(channel + i)
                + norm.bias.get(channel + i);
        out.set(head + i, (float) ((normed + own * v.get(head + i)) * gate.get(head + i)));
      }
    }
  }

  /** Weights [dim] of {@link #outputs}. */
  record HeadNorm(float epsilon, Floats weight, Floats bias, Floats bonus) {}
}
