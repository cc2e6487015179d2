// Attention of few query vectors, after attention.cl: what counts is reading every key and value
// once, sixteen bytes an item. A key belongs to KEY_LANES neighbouring items, eight elements each
// (KEY_STRIPS times), and a value to VALUE_LANES; they go straight to registers. The keys of
// a sequence are cut in equal ranges for different work groups (LeanAttention, arXiv 2405.10480).

#define KEYS_AT_ONCE (ITEMS / KEY_LANES)
#define VALUES_AT_ONCE (ITEMS / VALUE_LANES)
#define PARTS (ROWS * TILE * (KEY_LANES + 1))
#define RESULTS (8 * ITEMS)
#define POOL (PARTS > ROWS * RESULTS ? PARTS : ROWS * RESULTS)

inline float dot8(float8 a, float8 b) {
  float8 c = a * b;
  float4 d = c.lo + c.hi;
  float2 e = d.lo + d.hi;
  return e.x + e.y;
}

kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void attend(
    global const long *t, int workAt, int memory, global const float *q, global const char *bits,
    global const float *bias, global float *states, PAGE_MEMORIES) {
  local float pool[POOL];
  local float weights[ROWS][TILE];
  local float maxima[ROWS];
  local float sums[ROWS];
  local float factors[ROWS];
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
  int keyLane = i % KEY_LANES;
  int valueLane = i % VALUE_LANES;
  if (i < ROWS) {
    maxima[i] = -INFINITY;
    sums[i] = 0.0f;
  }
  float8 x[ROWS][KEY_STRIPS];
  float8 acc[ROWS][VALUE_STRIPS];
  for (int r = 0; r < ROWS; r++) {
    int j = first + min(r, vectors - 1);
    long at = t[H_Q] + (sequence[Q_FIRST_ROW] + row_of(t, work, j)) * t[H_Q_ROW]
        + head_of(work, j) * t[H_Q_HEAD];
    for (int c = 0; c < KEY_STRIPS; c++) {
      float w[8];
      for (int b = 0; b < 8; b++) {
        int d = 8 * (c * KEY_LANES + keyLane) + b;
        w[b] = d < headDim ? q[at + d] : 0.0f;
      }
      x[r][c] = vload8(0, w);
    }
    for (int c = 0; c < VALUE_STRIPS; c++) acc[r][c] = (float8)(0.0f);
  }

  for (global const long *segment = next_segment(t, &walk); segment;
      segment = next_segment(t, &walk)) {
    int mask = walk.mask;
    int count = segment[S_COUNT];
    global const uchar *keys = KEYS_OF(segment);
    global const uchar *values = VALUES_OF(segment);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int k = i / KEY_LANES; k < count; k += KEYS_AT_ONCE) {
      global const uchar *key = key_at(t, segment, keys, k);
      global const uchar *parameters = key_parameters(t, segment, keys, k);
      float parts[ROWS];
      for (int r = 0; r < ROWS; r++) parts[r] = 0.0f;
      for (int c = 0; c < KEY_STRIPS; c++) {
        int d = 8 * (c * KEY_LANES + keyLane);
        if (d < headDim) {
          float8 w = load_key(keyFormat, key, parameters, d, headDim);
          for (int r = 0; r < ROWS; r++) parts[r] += dot8(x[r][c], w);
        }
      }
      for (int r = 0; r < ROWS; r++) pool[(r * TILE + k) * (KEY_LANES + 1) + keyLane] = parts[r];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int e = i; e < ROWS * TILE; e += ITEMS) {
      int r = e / TILE;
      int k = e % TILE;
      float y = -INFINITY;
      if (r < vectors && k < count) {
        float sum = 0.0f;
        for (int l = 0; l < KEY_LANES; l++) sum += pool[e * (KEY_LANES + 1) + l];
        int j = first + r;
        float factor = KEY_FACTOR(key_parameters(t, segment, keys, k));
        y = score_of(scale * (sum * factor), t, sequence, segment, bits,
            bias, s, head_of(work, j), row_of(t, work, j), k, mask);
      }
      weights[r][k] = y;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    if (i < ROWS) {
      float before = maxima[i];
      float largest = before;
      if (normalizer == SOFTMAX) {
        for (int k = 0; k < count; k++) largest = larger(largest, weights[i][k]);
      }
      factors[i] = largest == before ? 1.0f : exp(before - largest);
      maxima[i] = largest;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int e = i; e < ROWS * TILE; e += ITEMS) {
      int r = e / TILE;
      weights[r][e % TILE] = weight_of(weights[r][e % TILE], maxima[r], normalizer, sigmoidBias);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    if (i < ROWS) {
      float sum = 0.0f;
      for (int k = 0; k < count; k++) sum += weights[i][k];
      sums[i] = sums[i] * factors[i] + sum;
    }
    for (int r = 0; r < ROWS; r++) {
      for (int c = 0; c < VALUE_STRIPS; c++) acc[r][c] *= factors[r];
    }
    for (int k = i / VALUE_LANES; k < count; k += VALUES_AT_ONCE) {
      global const uchar *value = value_at(t, segment, values, k);
      global const uchar *parameters = value_parameters(t, segment, values, k);
      float factor = VALUE_FACTOR(parameters);
      for (int c = 0; c < VALUE_STRIPS; c++) {
        int d = 8 * (c * VALUE_LANES + valueLane);
        if (d < valueDim) {
          float8 y = load_value(valueFormat, value, parameters, d, valueDim) * factor;
          for (int r = 0; r < ROWS; r++) {
            // Hidden values may be infinite, and 0 * inf is NaN.
            if (weights[r][k] != 0.0f) acc[r][c] = fma(weights[r][k], y, acc[r][c]);
          }
        }
      }
    }
  }
  // The items that share a strip of values add their sums.
  long group = t[H_GROUP];
  for (int c = 0; c < VALUE_STRIPS; c++) {
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int r = 0; r < ROWS; r++) vstore8(acc[r][c], r * ITEMS + i, pool);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int e = i; e < vectors * 8 * VALUE_LANES; e += ITEMS) {
      int r = e / (8 * VALUE_LANES);
      int j = first + r;
      long at = state_of(work, group, j, row_of(t, work, j), head_of(work, j)) * (valueDim + 2);
      int d = e % (8 * VALUE_LANES);
      float sum = 0.0f;
      for (int l = 0; l < VALUES_AT_ONCE; l++) sum += pool[r * RESULTS + l * 8 * VALUE_LANES + d];
      if (8 * c * VALUE_LANES + d < valueDim) states[at + 8 * c * VALUE_LANES + d] = sum;
      if (c == 0 && d == 0) {
        states[at + valueDim] = maxima[r];
        states[at + valueDim + 1] = sums[r];
      }
    }
  }
}
