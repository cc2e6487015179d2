package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;

import io.attention4j.engine.spi.LinearScanSpec;
import io.attention4j.engine.spi.LinearScanSpec.Decay;
import io.attention4j.engine.spi.LinearScanSpec.Write;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.recurrent.ScanCall;
import java.lang.foreign.MemorySegment;
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

  /** One per head of a run; the present one is {@link #state}. */
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
  private final float[] u;
  private final float[] z;
  private final float[] y;
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
    u = new float[CHUNK * valueDim];
    z = new float[CHUNK * valueDim];
    y = new float[CHUNK * valueDim];
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
      call.state().copy(0, head, states[head - from], 0);
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
      long at = call.state().at(0, head);
      MemorySegment.copy(
          states[head - from], 0, call.state().memory(), Tensor.FLOAT, at, keyDim * valueDim);
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
    for (int b = 0; recalls && b < padded; b += BLOCK) {
      recall(b);
    }
    for (int g = 0; g < group; g++) {
      respond(g, padded);
      ScanRows.write(y, valueDim, tokens, call.out(), from, head * group + g);
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
    Arrays.fill(u, tokens * valueDim, padded * valueDim, 0);
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
    ScanRows.read(call.v(), from, tokens, head, 1, valueDim, u, 0);
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
    for (int b = 0; b < padded; b += BLOCK) {
      weighBlock(b, b + BLOCK);
      triangles(b);
    }
  }

  /** Loads a chunk as it is; tokens beyond the last decay nothing. */
  private void load(ScanCall call, int head, int from, int tokens, int padded) {
    if (tokens < padded || spec.decay() == Decay.NONE) {
      Arrays.fill(decay, 0, padded * keyDim, 1);
    }
    ScanRows.read(call.k(), from, tokens, head, 1, keyDim, k, 0);
    ScanRows.read(call.v(), from, tokens, head, 1, valueDim, u, 0);
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
        ScanRows.read(call.decay(), from, tokens, head, Exp2.LOG2_E, keyDim, decay, 0);
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
        ScanRows.read(call.read(), from, tokens, head, 1, keyDim, r, 0);
        ScanRows.read(call.write(), from, tokens, head, 1, keyDim, w, 0);
      }
    }
    for (int g = 0; g < group; g++) {
      int query = head * group + g;
      ScanRows.read(call.q(), from, tokens, query, spec.scale(), keyDim, q, g * CHUNK * keyDim);
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
    weighBlock(b, mild ? b + BLOCK : b);
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

  /** Weights of a block's tokens with the first {@code known} tokens of the chunk. */
  private void weighBlock(int b, int known) {
    for (int g = 0; g < group && known > 0; g++) {
      int at = (g * CHUNK + b) * keyDim;
      int to = (g * CHUNK + b) * CHUNK;
      pairs(q, at, keysAcross, qk, to, known);
      if (lowRank) {
        pairs(q, at, writersAcross, qw, to, known);
      }
    }
    if (recalls && known > 0) {
      pairs(r, b * keyDim, keysAcross, rk, b * CHUNK, known);
    }
    if (lowRank && known > 0) {
      pairs(r, b * keyDim, writersAcross, rw, b * CHUNK, known);
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
      Arrays.fill(rk, i * CHUNK + i, i * CHUNK + end, 0);
      Arrays.fill(rw, i * CHUNK + i, i * CHUNK + end, 0);
    }
  }

  private void pairs(float[] left, int at, float[] across, float[] weights, int to, int before) {
    Products.run(
        left, at, keyDim, 1, across, 0, CHUNK, weights, to, CHUNK, BLOCK, keyDim, before, false);
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

  /** z of a block, after those before; it becomes u of DELTA. */
  private void recall(int b) {
    int to = b * valueDim;
    Products.run(
        r,
        b * keyDim,
        keyDim,
        1,
        state,
        0,
        valueDim,
        z,
        to,
        valueDim,
        BLOCK,
        keyDim,
        valueDim,
        false);
    // DELTA's u is known before the block only, LOW_RANK's everywhere.
    int known = lowRank ? b + BLOCK : b;
    if (known > 0) {
      weigh(rk, b * CHUNK, u, z, to, BLOCK, known);
    }
    if (lowRank && b > 0) {
      weigh(rw, b * CHUNK, z, z, to, BLOCK, b);
    }
    BlockSolve.run(lowRank ? rw : rk, CHUNK, z, lowRank ? null : u, beta, b, BLOCK, valueDim);
  }

  /** target += weights values, over the first {@code known} tokens. */
  private void weigh(
      float[] weights, int at, float[] values, float[] target, int to, int rows, int known) {
    Products.run(
        weights, at, CHUNK, 1, values, 0, valueDim, target, to, valueDim, rows, known, valueDim,
        true);
  }

  private void respond(int g, int padded) {
    Products.run(
        q,
        g * CHUNK * keyDim,
        keyDim,
        1,
        state,
        0,
        valueDim,
        y,
        0,
        valueDim,
        padded,
        keyDim,
        valueDim,
        false);
    for (int b = 0; b < padded; b += BLOCK) {
      int at = (g * CHUNK + b) * CHUNK;
      weigh(qk, at, u, y, b * valueDim, BLOCK, b + BLOCK);
      if (lowRank) {
        weigh(qw, at, z, y, b * valueDim, BLOCK, b + BLOCK);
      }
    }
  }

  /**
   * The state after the chunk.
   *
   * @param mild whether keys are divided by the decay since the chunk's start, so that the sum
   *     decays with the state; else they have decayed already
   */
  private void advance(int padded, boolean mild) {
    if (!mild) {
      decayState();
    }
    gain(keysAcross, u, padded);
    if (lowRank) {
      gain(writersAcross, z, padded);
    }
    if (mild) {
      decayState();
    }
  }

  private void decayState() {
    for (int d = 0; d < keyDim; d++) {
      for (int c = 0; c < valueDim; c += LANES) {
        int at = d * valueDim + c;
        FloatVector.fromArray(FLOAT, state, at).mul(beforeBlock[d]).intoArray(state, at);
      }
    }
  }

  private void gain(float[] across, float[] values, int padded) {
    Products.run(
        across, 0, CHUNK, 1, values, 0, valueDim, state, 0, valueDim, keyDim, padded, valueDim,
        true);
  }
}
