// Attention over paged keys and values: online softmax over tiles in local memory (FlashAttention),
// keys split over work groups and merged (Flash-Decoding). The prelude defines
//   HEAD_DIM, VALUE_DIM, TILE (keys of a tile), ROWS (query vectors of a work group),
//   KEY_x, VALUE_x for the stored format x,
//   SOFTMAX, SIGMOID or neither (weights are the scores),
//   visible(...), hides_all(...) and modified(...).
//
// Everything that changes from step to step is one table of 64-bit words:
//   header   see H_x
//   work     of each work group, see W_x
//   segments up to TILE slots of one page, see S_x
//   sequences see Q_x
// A "query vector" j of (sequence, KV head) is row j / group, query head kvHead * group + j % group.

#define ITEMS 64
// Odd, so that neighbouring keys lie in different banks.
#define WIDTH ((HEAD_DIM > VALUE_DIM ? HEAD_DIM : VALUE_DIM) | 1)
#define ELEMENTS ((ROWS * VALUE_DIM + ITEMS - 1) / ITEMS)

#define W_SEQUENCE 0
#define W_HEAD 1
#define W_FIRST_VECTOR 2
#define W_FROM 3
#define W_TO 4
#define W_STATE 5
#define W_WORDS 6

#define S_KEYS 0
#define S_VALUES 1
#define S_KEY_SCALES 2
#define S_VALUE_SCALES 3
#define S_COUNT 4
#define S_SLOT 5
#define S_LOWEST 6
#define S_HIGHEST 7
#define S_POSITIONS 8
#define S_BIAS 9
#define S_WORDS 10

#define Q_FIRST_ROW 0
#define Q_ROWS 1
#define Q_POSITION 2
#define Q_PREFIX 3
#define Q_DOCUMENTS 4
#define Q_HEADS 5

#if defined(KEY_F32)
#define load_key(p, scale, e) (((global const float *)(p))[e])
#elif defined(KEY_F16)
#define load_key(p, scale, e) vload_half(e, (global const half *)(p))
#elif defined(KEY_BF16)
#define load_key(p, scale, e) as_float((uint)((global const ushort *)(p))[e] << 16)
#else
#define load_key(p, scale, e) ((scale) * ((global const char *)(p))[e])
#define KEY_SCALED
#endif

#if defined(VALUE_F32)
#define load_value(p, scale, e) (((global const float *)(p))[e])
#elif defined(VALUE_F16)
#define load_value(p, scale, e) vload_half(e, (global const half *)(p))
#elif defined(VALUE_BF16)
#define load_value(p, scale, e) as_float((uint)((global const ushort *)(p))[e] << 16)
#else
#define load_value(p, scale, e) ((scale) * ((global const char *)(p))[e])
#define VALUE_SCALED
#endif

// fmax would drop a NaN.
inline float larger(float a, float b) { return b > a || isnan(b) ? b : a; }

kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void attend(
    global const long *t, int workAt, int segmentsAt, int sequencesAt, int sequenceWords,
    int group, float scale,
    global const float *q, long qAt, long qRow, long qHead,
    global const uchar *keys, global const uchar *values,
    global const char *bits, long bitsAt, long bitsS, long bitsH, long bitsR, long bitsK, long bitsN,
    global const float *bias, long biasAt, long biasS, long biasH, long biasR, long biasK,
    int slopesAt, global float *states) {
  local float qs[ROWS][HEAD_DIM];
  local float tile[TILE][WIDTH];
  local float scores[ROWS][TILE];
  local float maxima[ROWS];
  local float sums[ROWS];
  local float factors[ROWS];
  int i = get_local_id(0);
  global const long *work = t + workAt + get_group_id(0) * W_WORDS;
  global const long *sequence = t + sequencesAt + work[W_SEQUENCE] * sequenceWords;
  int s = work[W_SEQUENCE];
  int kvHead = work[W_HEAD];
  int first = work[W_FIRST_VECTOR];
  int vectors = min((long)ROWS, sequence[Q_ROWS] * group - first);
  long firstPosition = sequence[Q_POSITION];
  for (int e = i; e < ROWS * HEAD_DIM; e += ITEMS) {
    int r = e / HEAD_DIM;
    int j = first + r;
    long at = qAt + (sequence[Q_FIRST_ROW] + j / group) * qRow + (kvHead * group + j % group) * qHead;
    qs[r][e % HEAD_DIM] = r < vectors ? q[at + e % HEAD_DIM] : 0.0f;
  }
  if (i < ROWS) {
    maxima[i] = -INFINITY;
    sums[i] = 0.0f;
    factors[i] = 1.0f;
  }
  float acc[ELEMENTS];
  for (int e = 0; e < ELEMENTS; e++) acc[e] = 0.0f;
  long lowestQuery = firstPosition + first / group;
  long highestQuery = firstPosition + (first + vectors - 1) / group;

  for (long g = work[W_FROM]; g < work[W_TO]; g++) {
    global const long *segment = t + segmentsAt + g * S_WORDS;
    // Uniform over the work group, so the barriers below stay matched.
    if (hides_all(segment[S_LOWEST], segment[S_HIGHEST], lowestQuery, highestQuery)) continue;
    int count = segment[S_COUNT];
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int e = i; e < count * HEAD_DIM; e += ITEMS) {
      int k = e / HEAD_DIM;
#ifdef KEY_SCALED
      float keyScale = ((global const float *)(keys + segment[S_KEY_SCALES]))[k];
#endif
      tile[k][e % HEAD_DIM] = load_key(keys + segment[S_KEYS], keyScale, e);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int e = i; e < ROWS * TILE; e += ITEMS) {
      int r = e / TILE;
      int k = e % TILE;
      float x = -INFINITY;
      if (r < vectors && k < count) {
        int j = first + r;
        int row = j / group;
        int head = kvHead * group + j % group;
        long slot = segment[S_SLOT] + k;
        long queryPosition = firstPosition + row;
        long keyPosition =
            segment[S_POSITIONS] < 0 ? segment[S_LOWEST] + k : t[segment[S_POSITIONS] + k];
        if (visible(t, sequence, bits + bitsAt + s * bitsS + head * bitsH + row * bitsR, bitsK,
                bitsN, slot, queryPosition, keyPosition)) {
          // Two sums of half the terms round less than one.
          float dot0 = 0.0f;
          float dot1 = 0.0f;
          int d = 0;
          for (; d + 1 < HEAD_DIM; d += 2) {
            dot0 = fma(qs[r][d], tile[k][d], dot0);
            dot1 = fma(qs[r][d + 1], tile[k][d + 1], dot1);
          }
          if (d < HEAD_DIM) dot0 = fma(qs[r][d], tile[k][d], dot0);
          float slope = slopesAt < 0 ? 0.0f : as_float((int)t[slopesAt + head]);
          x = modified(scale * (dot0 + dot1), slope, queryPosition, keyPosition,
              bias + biasAt + s * biasS + head * biasH + row * biasR, slot * biasK);
          if (segment[S_BIAS] >= 0) x += as_float((int)t[segment[S_BIAS] + k]);
        }
      }
      scores[r][k] = x;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    // The keys are no longer needed; unfilled slots stay 0 as their weights are.
    for (int e = i; e < count * VALUE_DIM; e += ITEMS) {
      int k = e / VALUE_DIM;
#ifdef VALUE_SCALED
      float valueScale = ((global const float *)(values + segment[S_VALUE_SCALES]))[k];
#endif
      tile[k][e % VALUE_DIM] = load_value(values + segment[S_VALUES], valueScale, e);
    }
#ifdef SOFTMAX
    if (i < ROWS) {
      float before = maxima[i];
      float largest = before;
      for (int k = 0; k < count; k++) largest = larger(largest, scores[i][k]);
      float factor = largest == -INFINITY ? 1.0f : exp(before - largest);
      float sum = 0.0f;
      for (int k = 0; k < count; k++) {
        float w = scores[i][k] == -INFINITY ? 0.0f : exp(scores[i][k] - largest);
        scores[i][k] = w;
        sum += w;
      }
      sums[i] = sums[i] * factor + sum;
      maxima[i] = largest;
      factors[i] = factor;
    }
#else
    for (int e = i; e < ROWS * TILE; e += ITEMS) {
      float x = scores[e / TILE][e % TILE];
#ifdef SIGMOID
      scores[e / TILE][e % TILE] = x == -INFINITY ? 0.0f : 1.0f / (1.0f + exp(-(x + SIGMOID)));
#else
      scores[e / TILE][e % TILE] = x == -INFINITY ? 0.0f : x;
#endif
    }
#endif
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int e = 0; e < ELEMENTS; e++) {
      int at = i + e * ITEMS;
      int r = at / VALUE_DIM;
      int d = at % VALUE_DIM;
      if (r < ROWS) {
        float sum = acc[e] * factors[r];
        for (int k = 0; k < count; k++) {
          // Hidden values may be infinite, and 0 * inf is NaN.
          float w = scores[r][k];
          sum = w == 0.0f ? sum : fma(w, tile[k][d], sum);
        }
        acc[e] = sum;
      }
    }
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  global float *state = states + (work[W_STATE] + first) * (VALUE_DIM + 2);
  for (int e = 0; e < ELEMENTS; e++) {
    int at = i + e * ITEMS;
    int r = at / VALUE_DIM;
    if (r < vectors) state[(long)r * (VALUE_DIM + 2) + at % VALUE_DIM] = acc[e];
  }
  if (i < vectors) {
    state[(long)i * (VALUE_DIM + 2) + VALUE_DIM] = maxima[i];
    state[(long)i * (VALUE_DIM + 2) + VALUE_DIM + 1] = sums[i];
  }
}

// One work group per (query head, row): adds the states of all key ranges and the sink.
kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void merge(
    global const long *t, int rowsAt, int sequencesAt, int sequenceWords, int group, int sinksAt,
    global const float *states, global float *out, long outAt, long outRow, long outHead,
    global float *lse, long lseAt, int hasLse) {
  int i = get_local_id(0);
  int head = get_group_id(0);
  long row = get_group_id(1);
  global const long *sequence = t + sequencesAt + t[rowsAt + row] * sequenceWords;
  long j = (row - sequence[Q_FIRST_ROW]) * group + head % group;
  long vectors = sequence[Q_ROWS] * group;
  long firstState = sequence[Q_HEADS + 2 * (head / group)];
  long ranges = sequence[Q_HEADS + 2 * (head / group) + 1];
  global const float *state = states + (firstState + j) * (VALUE_DIM + 2);
  long step = vectors * (VALUE_DIM + 2);
  global float *result = out + outAt + row * outRow + head * outHead;
#ifdef SOFTMAX
  float sink = sinksAt < 0 ? -INFINITY : as_float((int)t[sinksAt + head]);
  float largest = sink;
  for (long c = 0; c < ranges; c++) largest = larger(largest, state[c * step + VALUE_DIM]);
  float sum = sink == -INFINITY ? 0.0f : exp(sink - largest);
  for (long c = 0; c < ranges; c++) {
    float m = state[c * step + VALUE_DIM];
    if (m != -INFINITY) sum = fma(exp(m - largest), state[c * step + VALUE_DIM + 1], sum);
  }
  for (int d = i; d < VALUE_DIM; d += ITEMS) {
    float v = 0.0f;
    for (long c = 0; c < ranges; c++) {
      float m = state[c * step + VALUE_DIM];
      if (m != -INFINITY) v = fma(exp(m - largest), state[c * step + d], v);
    }
    result[d] = sum == 0.0f ? 0.0f : v / sum;
  }
  if (i == 0 && hasLse) {
    lse[lseAt + row * get_num_groups(0) + head] = sum == 0.0f ? -INFINITY : largest + log(sum);
  }
#else
  for (int d = i; d < VALUE_DIM; d += ITEMS) {
    float v = 0.0f;
    for (long c = 0; c < ranges; c++) v += state[c * step + d];
    result[d] = v;
  }
#endif
}
