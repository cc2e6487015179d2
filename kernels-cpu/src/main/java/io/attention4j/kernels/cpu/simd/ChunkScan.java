package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;

import io.attention4j.engine.spi.LinearScanSpec;
import io.attention4j.engine.spi.LinearScanSpec.Decay;
import io.attention4j.engine.spi.LinearScanSpec.Write;
import io.attention4j.kernels.cpu.recurrent.ScanCall;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Heads in chunks of {@value #CHUNK} tokens: matrix products inside a chunk and with the state
 * (Yang et al. 2024, arXiv 2312.06635, section 4, and 2406.06484, section 3). With r what a token
 * recalls with, z what it recalled, k and w the writers, D the product of decays between two
 * tokens:
 *
 * <pre>
 * z  = (r D) S + strict(r, k) u + strict(r, w) z
 * y  = (q D) S + lower(q, k) u + lower(q, w) z
 * S' = D S + (k D)^T u + (w D)^T z
 * </pre>
 *
 * <p>DELTA has r = -k, w absent and u = beta (v + z). All decays are running products of factors up
 * to 1: between blocks of {@value #BLOCK} tokens they are split at a block's start, keys carrying
 * the decay up to it and queries the decay from it on. Inside a block whose decays keep at least
 * 2^-40 they are quotients of two such products; in any other keys decay token by token. So nothing
 * overflows, however strong the decay, and no exponential of a sum occurs.
 */
final class ChunkScan {
  /** Tokens of a chunk. */
  static final int CHUNK = 64;

  /** Columns of a state that are computed together: they are one register tile wide. */
  private static final int PANEL = 4 * LANES;

  /** Tokens inside which keys decay one token at a time. */
  private static final int BLOCK = 16;

  /**
   * Least decay over a block for which keys may be divided by theirs: the quotients, at most 2^40,
   * lose no precision and are far from overflow.
   */
  private static final float LEAST_QUOTIENT = 0x1p-40f;

  private final LinearScanSpec spec;
  private final int keyDim;
  private final int valueDim;
  private final int group;
  private final boolean recalls;
  private final boolean lowRank;

  /** One per head of a run, panel after panel of columns; the present one is {@link #state}. */
  private float[][] states = {};

  private float[] state;

  /** Keeps the JIT from leaving the reads out. */
  private float touched;

  private final float[] decay;

  /** Products of decays since the chunk's start, [C + 1, keyDim]; the first row is ones. */
  private final float[] since;

  private final float[] q;
  private final float[] r;
  private final float[] k;
  private final float[] w;

  /** Keys and writers by dimension, decayed up to where the present block starts: [keyDim, C]. */
  private final float[] keysAcross;

  private final float[] writersAcross;

  /** Of the present panel, [C, width]. */
  private final float[] u;

  private final float[] z;
  private final float[] y;

  /** The present panel's columns, and where it starts in the state. */
  private int width;

  private int stateAt;
  private final float[] beta = new float[CHUNK];
  private final float[] headDecay = new float[CHUNK];

  /** Products of decays, [keyDim]: since the block's start, and of the chunk's earlier blocks. */
  private final float[] sinceBlock;

  private final float[] beforeBlock;

  /** Pair weights [C, C]: of q with k and w per query head of the group, and of r. */
  private final float[] qk;

  private final float[] qw;
  private final float[] rk = new float[CHUNK * CHUNK];
  private final float[] rw = new float[CHUNK * CHUNK];

  ChunkScan(LinearScanSpec spec) {
    this.spec = spec;
    keyDim = spec.keyDim();
    valueDim = spec.valueDim();
    group = spec.groupSize();
    recalls = spec.write() != Write.ADD;
    lowRank = spec.write() == Write.LOW_RANK;
    decay = new float[CHUNK * keyDim];
    since = new float[(CHUNK + 1) * keyDim];
    Arrays.fill(since, 0, keyDim, 1);
    q = new float[Math.multiplyExact(group, CHUNK * keyDim)];
    r = new float[CHUNK * keyDim];
    k = new float[CHUNK * keyDim];
    w = new float[lowRank ? CHUNK * keyDim : 0];
    keysAcross = new float[keyDim * CHUNK];
    writersAcross = new float[lowRank ? keyDim * CHUNK : 0];
    u = new float[CHUNK * PANEL];
    z = new float[CHUNK * PANEL];
    y = new float[CHUNK * PANEL];
    sinceBlock = new float[keyDim];
    beforeBlock = new float[keyDim];
    qk = new float[group * CHUNK * CHUNK];
    qw = new float[lowRank ? group * CHUNK * CHUNK : 0];
  }

  /** What it was made for. */
  LinearScanSpec spec() {
    return spec;
  }

  /** Whether states of this spec are whole vectors. */
  static boolean takes(LinearScanSpec spec) {
    return spec.keyDim() % LANES == 0 && spec.valueDim() % LANES == 0;
  }

  /**
   * Runs all tokens of the heads [from, to). Heads take turns chunk by chunk, since the rows of a
   * token lie side by side for all heads: one head alone would touch a memory page for each row of
   * each input.
   */
  void run(ScanCall call, int from, int to) {
    if (states.length < to - from) {
      states = new float[to - from][keyDim * valueDim];
    }
    for (int head = from; head < to; head++) {
      ScanRows.readPanels(call.state(), head, keyDim, valueDim, PANEL, states[head - from]);
    }
    for (int token = 0; token < call.tokens(); token += CHUNK) {
      int tokens = Math.min(CHUNK, call.tokens() - token);
      touch(call, from, to, token, tokens);
      for (int head = from; head < to; head++) {
        state = states[head - from];
        chunk(call, head, token, tokens);
      }
    }
    for (int head = from; head < to; head++) {
      ScanRows.writePanels(states[head - from], call.state(), head, keyDim, valueDim, PANEL);
    }
  }

  /**
   * Brings the chunk's rows of all heads near: memory delivers a token's heads, side by side,
   * faster in one stream than head by head.
   */
  private void touch(ScanCall call, int from, int to, int token, int tokens) {
    if (to - from == 1) {
      return;
    }
    int heads = to - from;
    touched += ScanRows.touch(call.k(), token, tokens, from, heads * keyDim);
    touched += ScanRows.touch(call.v(), token, tokens, from, heads * valueDim);
    touched += ScanRows.touch(call.q(), token, tokens, from * group, heads * group * keyDim);
    if (spec.decay() == Decay.KEY) {
      touched += ScanRows.touch(call.decay(), token, tokens, from, heads * keyDim);
    }
    if (lowRank) {
      touched += ScanRows.touch(call.read(), token, tokens, from, heads * keyDim);
      touched += ScanRows.touch(call.write(), token, tokens, from, heads * keyDim);
    }
  }

  private void chunk(ScanCall call, int head, int from, int tokens) {
    int padded = Math.ceilDiv(tokens, BLOCK) * BLOCK;
    pad(tokens, padded);
    boolean mild = loadDecayed(call, head, from, tokens);
    if (mild) {
      weighAll(padded);
    } else {
      load(call, head, from, tokens, padded);
      Arrays.fill(beforeBlock, 1);
      for (int b = 0; b < padded; b += BLOCK) {
        block(b);
      }
    }
    for (int column = 0; column < valueDim; column += PANEL) {
      width = Math.min(PANEL, valueDim - column);
      stateAt = column * keyDim;
      panel(call, head, from, tokens, padded, column, mild);
    }
  }

  /** Columns of states do not mix: a panel's are recalled, answered and advanced by themselves. */
  private void panel(
      ScanCall call, int head, int from, int tokens, int padded, int column, boolean mild) {
    ScanRows.read(call.v(), from, tokens, head, column, 1, width, u, 0);
    Arrays.fill(u, tokens * width, padded * width, 0);
    if (recalls) {
      recall(padded);
    }
    for (int g = 0; g < group; g++) {
      respond(g, padded);
      ScanRows.write(y, width, tokens, call.out(), from, head * group + g, column);
    }
    advance(padded, mild);
  }

  /** Tokens beyond the last are zeros. */
  private void pad(int tokens, int padded) {
    if (tokens == padded) {
      return;
    }
    Arrays.fill(k, tokens * keyDim, padded * keyDim, 0);
    Arrays.fill(r, tokens * keyDim, padded * keyDim, 0);
    Arrays.fill(beta, tokens, padded, 0);
    if (lowRank) {
      Arrays.fill(w, tokens * keyDim, padded * keyDim, 0);
    }
    for (int g = 0; g < group; g++) {
      int at = g * CHUNK * keyDim;
      Arrays.fill(q, at + tokens * keyDim, at + padded * keyDim, 0);
    }
  }

  /**
   * Loads a chunk whose decays keep at least 2^-40 as one block: queries times the decay since its
   * start, keys divided by it.
   *
   * @return whether they keep as much; else nothing is loaded
   */
  private boolean loadDecayed(ScanCall call, int head, int from, int tokens) {
    switch (spec.decay()) {
      case NONE -> Arrays.fill(since, keyDim, (tokens + 1) * keyDim, 1);
      case HEAD -> {
        call.decay().gather(from, tokens, head, headDecay);
        ScanStep.exp(headDecay);
        float product = 1;
        for (int t = 0; t < tokens; t++) {
          product *= headDecay[t];
          Arrays.fill(since, (t + 1) * keyDim, (t + 2) * keyDim, product);
        }
      }
      case KEY -> ScanRows.readPowers(call.decay(), from, tokens, head, Exp2.LOG2_E, keyDim, since);
    }
    System.arraycopy(since, tokens * keyDim, beforeBlock, 0, keyDim);
    if (!(ScanRows.least(beforeBlock) >= LEAST_QUOTIENT)) {
      return false;
    }
    ScanRows.readOver(call.k(), from, tokens, head, keyDim, since, keyDim, k);
    switch (spec.write()) {
      case ADD -> {}
      case DELTA -> {
        call.beta().gather(from, tokens, head, beta);
        ScanRows.readTimes(call.k(), from, tokens, head, -1, keyDim, since, keyDim, r, 0);
      }
      case LOW_RANK -> {
        ScanRows.readTimes(call.read(), from, tokens, head, 1, keyDim, since, 0, r, 0);
        ScanRows.readOver(call.write(), from, tokens, head, keyDim, since, keyDim, w);
      }
    }
    for (int g = 0; g < group; g++) {
      int query = head * group + g;
      int to = g * CHUNK * keyDim;
      ScanRows.readTimes(call.q(), from, tokens, query, spec.scale(), keyDim, since, keyDim, q, to);
    }
    return true;
  }

  /** Pair weights of such a chunk. */
  private void weighAll(int padded) {
    ScanRows.turn(k, keysAcross, 0, padded, keyDim, CHUNK);
    if (lowRank) {
      ScanRows.turn(w, writersAcross, 0, padded, keyDim, CHUNK);
    }
    for (int b = 0; b < padded; b += 2 * BLOCK) {
      int end = Math.min(b + 2 * BLOCK, padded);
      weighRows(b, end - b, end);
    }
    for (int b = 0; b < padded; b += BLOCK) {
      triangles(b);
    }
  }

  /** Loads a chunk as it is; tokens beyond the last decay nothing. */
  private void load(ScanCall call, int head, int from, int tokens, int padded) {
    if (tokens < padded || spec.decay() == Decay.NONE) {
      Arrays.fill(decay, 0, padded * keyDim, 1);
    }
    ScanRows.read(call.k(), from, tokens, head, 0, 1, keyDim, k, 0);
    switch (spec.decay()) {
      case NONE -> {}
      case HEAD -> {
        call.decay().gather(from, tokens, head, headDecay);
        ScanStep.exp(headDecay);
        for (int t = 0; t < tokens; t++) {
          Arrays.fill(decay, t * keyDim, (t + 1) * keyDim, headDecay[t]);
        }
      }
      case KEY -> {
        ScanRows.read(call.decay(), from, tokens, head, 0, Exp2.LOG2_E, keyDim, decay, 0);
        ScanRows.exp2(decay, tokens * keyDim);
      }
    }
    switch (spec.write()) {
      case ADD -> {}
      case DELTA -> {
        call.beta().gather(from, tokens, head, beta);
        ScanRows.negate(k, r, tokens * keyDim);
      }
      case LOW_RANK -> {
        ScanRows.read(call.read(), from, tokens, head, 0, 1, keyDim, r, 0);
        ScanRows.read(call.write(), from, tokens, head, 0, 1, keyDim, w, 0);
      }
    }
    for (int g = 0; g < group; g++) {
      int query = head * group + g;
      int to = g * CHUNK * keyDim;
      ScanRows.read(call.q(), from, tokens, query, 0, spec.scale(), keyDim, q, to);
    }
  }

  /** Pair weights of a block's tokens with those before and with each other. */
  private void block(int b) {
    Arrays.fill(sinceBlock, 1);
    for (int t = b; t < b + BLOCK; t++) {
      ScanRows.multiply(sinceBlock, 0, decay, t * keyDim, keyDim);
    }
    boolean mild = ScanRows.least(sinceBlock) >= LEAST_QUOTIENT;
    if (!mild) {
      inside(b);
    }
    Arrays.fill(sinceBlock, 1);
    for (int t = b; t < b + BLOCK; t++) {
      int at = t * keyDim;
      // LOW_RANK recalls before the token's own decay, DELTA after it.
      if (lowRank) {
        ScanRows.multiply(r, at, sinceBlock, 0, keyDim);
      }
      ScanRows.multiply(sinceBlock, 0, decay, at, keyDim);
      if (recalls && !lowRank) {
        ScanRows.multiply(r, at, sinceBlock, 0, keyDim);
      }
      for (int g = 0; g < group; g++) {
        ScanRows.multiply(q, g * CHUNK * keyDim + at, sinceBlock, 0, keyDim);
      }
      if (mild) {
        ScanRows.divide(k, at, sinceBlock, keyDim);
        if (lowRank) {
          ScanRows.divide(w, at, sinceBlock, keyDim);
        }
      }
    }
    if (mild) {
      ScanRows.turn(k, keysAcross, b, BLOCK, keyDim, CHUNK);
      if (lowRank) {
        ScanRows.turn(w, writersAcross, b, BLOCK, keyDim, CHUNK);
      }
    }
    weighRows(b, BLOCK, mild ? b + BLOCK : b);
    if (mild) {
      triangles(b);
      decayAcross(keysAcross, b + BLOCK);
      if (lowRank) {
        decayAcross(writersAcross, b + BLOCK);
      }
    } else {
      decayAcross(keysAcross, b);
      ScanRows.turn(k, keysAcross, b, BLOCK, keyDim, CHUNK);
      if (lowRank) {
        decayAcross(writersAcross, b);
        ScanRows.turn(w, writersAcross, b, BLOCK, keyDim, CHUNK);
      }
    }
    // From here on queries and recalls carry the decay from the chunk's start.
    for (int t = b; t < b + BLOCK && b > 0; t++) {
      if (recalls) {
        ScanRows.multiply(r, t * keyDim, beforeBlock, 0, keyDim);
      }
      for (int g = 0; g < group; g++) {
        ScanRows.multiply(q, (g * CHUNK + t) * keyDim, beforeBlock, 0, keyDim);
      }
    }
    ScanRows.multiply(beforeBlock, 0, sinceBlock, 0, keyDim);
  }

  /** Weights of some tokens with the first {@code known} tokens of the chunk. */
  private void weighRows(int b, int count, int known) {
    for (int g = 0; g < group && known > 0; g++) {
      int at = (g * CHUNK + b) * keyDim;
      int to = (g * CHUNK + b) * CHUNK;
      pairs(q, at, keysAcross, qk, to, count, known);
      if (lowRank) {
        pairs(q, at, writersAcross, qw, to, count, known);
      }
    }
    if (recalls && known > 0) {
      pairs(r, b * keyDim, keysAcross, rk, b * CHUNK, count, known);
    }
    if (lowRank && known > 0) {
      pairs(r, b * keyDim, writersAcross, rw, b * CHUNK, count, known);
    }
  }

  /** No token sees a later one, and none recalls itself. */
  private void triangles(int b) {
    int end = b + BLOCK;
    for (int i = b; i < end; i++) {
      for (int g = 0; g < group; g++) {
        int row = (g * CHUNK + i) * CHUNK;
        Arrays.fill(qk, row + i + 1, row + end, 0);
        if (lowRank) {
          Arrays.fill(qw, row + i + 1, row + end, 0);
        }
      }
      if (recalls) {
        Arrays.fill(rk, i * CHUNK + i, i * CHUNK + end, 0);
      }
      if (lowRank) {
        Arrays.fill(rw, i * CHUNK + i, i * CHUNK + end, 0);
      }
    }
  }

  private void pairs(
      float[] left, int at, float[] across, float[] weights, int to, int rows, int known) {
    if (Species.WIDE && known == MicroTile4.WIDTH) {
      MicroTile4.scores(left, at, keyDim, rows, across, 0, weights, to);
      return;
    }
    Products.run(
        left, at, keyDim, 1, across, 0, CHUNK, weights, to, CHUNK, rows, keyDim, known, false);
  }

  /**
   * Weights of pairs inside a block; keys decay in place, token by token, and have at the end the
   * decay up to the block's end.
   */
  private void inside(int b) {
    for (int i = b; i < b + BLOCK; i++) {
      for (int g = 0; g < group; g++) {
        Arrays.fill(qk, (g * CHUNK + i) * CHUNK + b, (g * CHUNK + i) * CHUNK + b + BLOCK, 0);
      }
      Arrays.fill(rk, i * CHUNK + b, i * CHUNK + b + BLOCK, 0);
      int at = i * keyDim;
      for (int j = b; j < i; j++) {
        if (lowRank) {
          rk[i * CHUNK + j] = ScanRows.dot(r, at, k, j * keyDim, keyDim);
          rw[i * CHUNK + j] = ScanRows.dot(r, at, w, j * keyDim, keyDim);
          ScanRows.multiply(w, j * keyDim, decay, at, keyDim);
          ScanRows.multiply(k, j * keyDim, decay, at, keyDim);
        } else if (recalls) {
          rk[i * CHUNK + j] = decayedDot(r, at, at, j * keyDim);
        }
      }
      for (int g = 0; g < group; g++) {
        int query = (g * CHUNK + i) * keyDim;
        int to = (g * CHUNK + i) * CHUNK;
        for (int j = b; j <= i; j++) {
          boolean first = g == 0 && !recalls && j < i;
          qk[to + j] =
              first
                  ? decayedDot(q, query, at, j * keyDim)
                  : ScanRows.dot(q, query, k, j * keyDim, keyDim);
          if (lowRank) {
            qw[to + j] = ScanRows.dot(q, query, w, j * keyDim, keyDim);
          }
        }
        if (lowRank) {
          Arrays.fill(qw, to + i + 1, to + b + BLOCK, 0);
        }
      }
    }
  }

  /** Decays a key by a token's factors, in place, and multiplies it with another row. */
  private float decayedDot(float[] x, int at, int factors, int key) {
    FloatVector sum = FloatVector.zero(FLOAT);
    for (int i = 0; i < keyDim; i += LANES) {
      FloatVector decayed =
          FloatVector.fromArray(FLOAT, k, key + i)
              .mul(FloatVector.fromArray(FLOAT, decay, factors + i));
      decayed.intoArray(k, key + i);
      sum = FloatVector.fromArray(FLOAT, x, at + i).fma(decayed, sum);
    }
    return sum.reduceLanes(VectorOperators.ADD);
  }

  /** Brings the first keys of the chunk to the block's end. */
  private void decayAcross(float[] across, int known) {
    for (int d = 0; d < keyDim; d++) {
      FloatVector factor = FloatVector.broadcast(FLOAT, sinceBlock[d]);
      for (int j = d * CHUNK; j < d * CHUNK + known; j += LANES) {
        FloatVector.fromArray(FLOAT, across, j).mul(factor).intoArray(across, j);
      }
    }
  }

  /** z of all tokens, block after block; it becomes u of DELTA. */
  private void recall(int padded) {
    withState(r, 0, z, padded);
    for (int b = 0; b < padded; b += BLOCK) {
      // DELTA's u is known before the block only, LOW_RANK's everywhere.
      int known = lowRank ? b + BLOCK : b;
      if (known > 0) {
        weigh(rk, b * CHUNK, u, z, b, known);
      }
      if (lowRank && b > 0) {
        weigh(rw, b * CHUNK, z, z, b, b);
      }
      BlockSolve.run(lowRank ? rw : rk, CHUNK, z, lowRank ? null : u, beta, b, BLOCK, width);
    }
  }

  private void respond(int g, int padded) {
    withState(q, g * CHUNK * keyDim, y, padded);
    for (int b = 0; b < padded; b += BLOCK) {
      int at = (g * CHUNK + b) * CHUNK;
      weigh(qk, at, u, y, b, b + BLOCK);
      if (lowRank) {
        weigh(qw, at, z, y, b, b + BLOCK);
      }
    }
  }

  /** target = rows state. */
  private void withState(float[] rows, int at, float[] target, int count) {
    if (Species.WIDE && width == MicroTile4.WIDTH) {
      MicroTile4.scores(rows, at, keyDim, count, state, stateAt, target, 0);
      return;
    }
    Products.run(
        rows, at, keyDim, 1, state, stateAt, width, target, 0, width, count, keyDim, width, false);
  }

  /** A block of target += weights values, over the first {@code known} tokens. */
  private void weigh(float[] weights, int at, float[] values, float[] target, int b, int known) {
    int to = b * width;
    Products.run(
        weights, at, CHUNK, 1, values, 0, width, target, to, width, BLOCK, known, width, true);
  }

  /**
   * The state after the chunk.
   *
   * @param mild whether keys are divided by the decay since the chunk's start, so that the sum
   *     decays with the state; else they have decayed already
   */
  private void advance(int padded, boolean mild) {
    if (mild) {
      gain(k, u, padded);
      if (lowRank) {
        gain(w, z, padded);
      }
      decayState();
    } else {
      decayState();
      gainAcross(keysAcross, u, padded);
      if (lowRank) {
        gainAcross(writersAcross, z, padded);
      }
    }
  }

  private void decayState() {
    for (int d = 0; d < keyDim; d++) {
      FloatVector factor = FloatVector.broadcast(FLOAT, beforeBlock[d]);
      int row = stateAt + d * width;
      for (int at = row; at < row + width; at += LANES) {
        FloatVector.fromArray(FLOAT, state, at).mul(factor).intoArray(state, at);
      }
    }
  }

  private void gain(float[] keys, float[] values, int padded) {
    if (Species.WIDE && width == MicroTile4.WIDTH) {
      MicroTile4.values(keys, keyDim, 0, padded, values, state, stateAt, true);
      return;
    }
    Products.run(
        keys, 0, 1, keyDim, values, 0, width, state, stateAt, width, keyDim, padded, width, true);
  }

  private void gainAcross(float[] across, float[] values, int padded) {
    Products.run(
        across, 0, CHUNK, 1, values, 0, width, state, stateAt, width, keyDim, padded, width, true);
  }
}
