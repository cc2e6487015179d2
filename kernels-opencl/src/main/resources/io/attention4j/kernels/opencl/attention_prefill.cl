// Attention of many query vectors, after attention.cl: a work group keeps 32 of them and goes over
// tiles of 32 keys (FlashAttention, arXiv 2205.14135). Scores and sums live in registers, 4 x 4
// scores and 4 rows of COLUMNS x 4 sums an item; queries, keys and, VALUE_KEYS at once, values pass
// through local memory.

#define PADDED_VALUE (32 * COLUMNS)
#define DEPTH 32
#define STRIDE 36
#define POOL (2 * DEPTH * STRIDE > VALUE_KEYS * PADDED_VALUE ? 2 * DEPTH * STRIDE : VALUE_KEYS * PADDED_VALUE)

kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void attend(
    global const long *t, int workAt, int memory, global const float *q, global const char *bits,
    global const float *bias, global float *states, PAGE_MEMORIES) {
  // Queries and keys first, then values.
  local float pool[POOL] __attribute__((aligned(16)));
  local float weights[TILE * STRIDE] __attribute__((aligned(16)));
  local float maxima[ROWS];
  local float sums[ROWS];
  local float factors[ROWS];
  local int rows[ROWS];
  local int heads[ROWS];
  local int odd;
  local float *qs = pool;
  local float *ks = pool + DEPTH * STRIDE;
  int i = get_local_id(0);
  int headDim = t[H_HEAD_DIM];
  int valueDim = t[H_VALUE_DIM];
  int keyFormat = t[H_KEY_FORMAT];
  int valueFormat = t[H_VALUE_FORMAT];
  global const long *work = t + workAt + get_group_id(0) * W_WORDS;
  int s = work[W_SEQUENCE];
  Walk walk = begin_walk(t, work, memory);
  global const long *sequence = walk.sequence;
  int first = work[W_FIRST];
  int vectors = work[W_VECTORS];
  long normalizer = t[H_NORMALIZER];
  float sigmoidBias = float_of(t[H_SIGMOID_BIAS]);
  float scale = float_of(t[H_SCALE]);
  int ri = 4 * (i / 8);
  int ki = 4 * (i % 8);
  if (i < ROWS) {
    int j = first + min(i, vectors - 1);
    rows[i] = row_of(t, work, j);
    heads[i] = head_of(work, j);
    maxima[i] = -INFINITY;
    sums[i] = 0.0f;
  }
  float4 acc[4][COLUMNS];
  for (int a = 0; a < 4; a++) {
    for (int c = 0; c < COLUMNS; c++) acc[a][c] = (float4)(0.0f);
  }

  for (global const long *segment = next_segment(t, &walk); segment;
      segment = next_segment(t, &walk)) {
    int mask = walk.mask;
    int count = segment[S_COUNT];
    global const uchar *keys = KEYS_OF(segment);
    global const uchar *values = VALUES_OF(segment);

    // Scores: chunks of the head dimension, each summed on its own, which rounds less.
    float4 scores[4];
    for (int a = 0; a < 4; a++) scores[a] = (float4)(0.0f);
    for (int d0 = 0; d0 < headDim; d0 += DEPTH) {
      barrier(CLK_LOCAL_MEM_FENCE);
      for (int e = i; e < 32 * DEPTH / 8; e += ITEMS) {
        int r = e / (DEPTH / 8);
        int d = 8 * (e % (DEPTH / 8));
        float w[8];
        float8 x = (float8)(0.0f);
        if (r < count && d0 + d < headDim) {
          global const uchar *parameters = key_parameters(t, segment, keys, r);
          x = load_key(keyFormat, key_at(t, segment, keys, r), parameters, d0 + d, headDim)
              * KEY_FACTOR(parameters);
        }
        vstore8(x, 0, w);
        for (int j = 0; j < 8; j++) ks[(d + j) * STRIDE + r] = w[j];
        long at = t[H_Q] + (sequence[Q_FIRST_ROW] + rows[r]) * t[H_Q_ROW] + heads[r] * t[H_Q_HEAD];
        for (int j = 0; j < 8; j++) {
          qs[(d + j) * STRIDE + r] =
              r < vectors && d0 + d + j < headDim ? q[at + d0 + d + j] : 0.0f;
        }
      }
      barrier(CLK_LOCAL_MEM_FENCE);
      float4 part[4];
      for (int a = 0; a < 4; a++) part[a] = (float4)(0.0f);
      int depth = min(DEPTH, headDim - d0);
      for (int d = 0; d < depth; d++) {
        float4 x = *(local const float4 *)(qs + d * STRIDE + ri);
        float4 k = *(local const float4 *)(ks + d * STRIDE + ki);
        part[0] = fma(x.s0, k, part[0]);
        part[1] = fma(x.s1, k, part[1]);
        part[2] = fma(x.s2, k, part[2]);
        part[3] = fma(x.s3, k, part[3]);
      }
      for (int a = 0; a < 4; a++) scores[a] += part[a];
    }
    for (int a = 0; a < 4; a++) {
      float w[4];
      vstore4(scores[a] * scale, 0, w);
      for (int b = 0; b < 4; b++) {
        float x = -INFINITY;
        if (ri + a < vectors && ki + b < count) {
          x = score_of(w[b], t, sequence, segment, bits, bias, s, heads[ri + a], rows[ri + a],
              ki + b, mask);
        }
        weights[(ki + b) * STRIDE + ri + a] = x;
      }
    }
    if (i == 0) odd = 0;
    barrier(CLK_LOCAL_MEM_FENCE);
    if (i < ROWS) {
      float before = maxima[i];
      float largest = before;
      if (normalizer == SOFTMAX) {
        for (int k = 0; k < count; k++) largest = larger(largest, weights[k * STRIDE + i]);
      }
      float sum = 0.0f;
      for (int k = 0; k < count; k++) {
        float w = weight_of(weights[k * STRIDE + i], largest, normalizer, sigmoidBias);
        weights[k * STRIDE + i] = w;
        sum += w;
      }
      float factor = largest == before ? 1.0f : exp(before - largest);
      sums[i] = sums[i] * factor + sum;
      maxima[i] = largest;
      factors[i] = factor;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int a = 0; a < 4; a++) {
      float factor = factors[ri + a];
      for (int c = 0; c < COLUMNS; c++) acc[a][c] *= factor;
    }

    // Sums of values, VALUE_KEYS at a time.
    for (int k0 = 0; k0 < count; k0 += VALUE_KEYS) {
      barrier(CLK_LOCAL_MEM_FENCE);
      for (int e = i; e < VALUE_KEYS * PADDED_VALUE / 8; e += ITEMS) {
        int k = e / (PADDED_VALUE / 8);
        int d = 8 * (e % (PADDED_VALUE / 8));
        float8 x = (float8)(0.0f);
        if (k0 + k < count && d < valueDim) {
          global const uchar *parameters = value_parameters(t, segment, values, k0 + k);
          x = load_value(
                  valueFormat, value_at(t, segment, values, k0 + k), parameters, d, valueDim)
              * VALUE_FACTOR(parameters);
        }
        float8 zero = x * 0.0f;
        float4 zeros = zero.lo + zero.hi;
        if (zeros.s0 + zeros.s1 + zeros.s2 + zeros.s3 != 0.0f) odd = 1;
        vstore8(x, 0, pool + k * PADDED_VALUE + d);
      }
      barrier(CLK_LOCAL_MEM_FENCE);
      int keysHere = min(VALUE_KEYS, count - k0);
      if (odd) {
        // Some value is not finite: a weight of 0 must still hide it.
        for (int e = 0; e < keysHere * COLUMNS * 4; e++) {
          int k = e / (COLUMNS * 4);
          int c = e / 4 % COLUMNS;
          int a = e % 4;
          float w = weights[(k0 + k) * STRIDE + ri + a];
          float4 x = *(local const float4 *)(pool + k * PADDED_VALUE + 32 * c + ki);
          if (w != 0.0f) acc[a][c] = fma(w, x, acc[a][c]);
        }
      } else {
        for (int k = 0; k < keysHere; k++) {
          float4 w = *(local const float4 *)(weights + (k0 + k) * STRIDE + ri);
          for (int c = 0; c < COLUMNS; c++) {
            float4 x = *(local const float4 *)(pool + k * PADDED_VALUE + 32 * c + ki);
            acc[0][c] = fma(w.s0, x, acc[0][c]);
            acc[1][c] = fma(w.s1, x, acc[1][c]);
            acc[2][c] = fma(w.s2, x, acc[2][c]);
            acc[3][c] = fma(w.s3, x, acc[3][c]);
          }
        }
      }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  long group = t[H_GROUP];
  for (int a = 0; a < 4; a++) {
    int r = ri + a;
    if (r < vectors) {
      long at = state_of(work, group, first + r, rows[r], heads[r]) * (valueDim + 2);
      for (int c = 0; c < COLUMNS; c++) {
        float w[4];
        vstore4(acc[a][c], 0, w);
        for (int b = 0; b < 4; b++) {
          int d = 32 * c + ki + b;
          if (d < valueDim) states[at + d] = w[b];
        }
      }
      if (ki == 0) {
        states[at + valueDim] = maxima[r];
        states[at + valueDim + 1] = sums[r];
      }
    }
  }
}
