// Softmax attention of every prefix for a fixed query, see PrefixAttentionKernel: the scan of
// states (m, u, w) by chunks of ITEMS tokens. Maxima and sums of a chunk's prefixes are scanned by
// all items together (Hillis and Steele); of w every item has columns of its own, over whose tokens
// it walks. Chunks are folded side by side, their carries follow each other, and then every
// chunk's prefixes are computed from its carry.
// A state is w[valueDim], m, u; empty where u is 0.

#define ITEMS 64

inline float share(float part, float total) {
  return part == -INFINITY ? 0.0f : exp(part - total);
}

// fmax would drop a NaN.
inline float larger(float a, float b) { return b > a || isnan(b) ? b : a; }

// Inclusive scan of (m, u) over the items of a group, on top of a carry.
inline void scan_sums(local float *maxima, local float *sums, float carryMax, float carrySum) {
  int i = get_local_id(0);
  if (i == 0) {
    float m = larger(carryMax, maxima[0]);
    sums[0] = carrySum * share(carryMax, m) + sums[0] * share(maxima[0], m);
    maxima[0] = m;
  }
  for (int step = 1; step < ITEMS; step *= 2) {
    barrier(CLK_LOCAL_MEM_FENCE);
    float m = maxima[i];
    float u = sums[i];
    if (i >= step) {
      float before = maxima[i - step];
      float total = larger(before, m);
      u = sums[i - step] * share(before, total) + u * share(m, total);
      m = total;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    maxima[i] = m;
    sums[i] = u;
  }
  barrier(CLK_LOCAL_MEM_FENCE);
}

// The state of each chunk alone. Groups: (chunk, head).
kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void fold(
    int rows, int heads, int valueDim, global const float *scores, long scoresAt,
    global const float *v, long vAt, global float *carries) {
  local float maxima[ITEMS];
  local float sums[ITEMS];
  local float weights[ITEMS];
  int i = get_local_id(0);
  int h = get_group_id(1);
  long first = (long)get_group_id(0) * ITEMS;
  int count = min((long)ITEMS, rows - first);
  float score = i < count ? scores[scoresAt + (first + i) * heads + h] : -INFINITY;
  maxima[i] = score;
  sums[i] = score == -INFINITY ? 0.0f : 1.0f;
  scan_sums(maxima, sums, -INFINITY, 0.0f);
  float m = maxima[ITEMS - 1];
  weights[i] = share(score, m);
  barrier(CLK_LOCAL_MEM_FENCE);
  global float *mine = carries + ((long)get_group_id(0) * heads + h) * (valueDim + 2);
  for (int d = i; d < valueDim; d += ITEMS) {
    float w = 0.0f;
    for (int t = 0; t < count; t++) {
      // A hidden value is not multiplied, whatever it holds.
      long at = ((first + t) * heads + h) * valueDim + d;
      if (weights[t] != 0.0f) w = fma(weights[t], v[vAt + at], w);
    }
    mine[d] = w;
  }
  if (i == 0) {
    mine[valueDim] = m;
    mine[valueDim + 1] = sums[ITEMS - 1];
  }
}

// Turns the chunks' states into those before each chunk; the state becomes that of all. Groups:
// head.
kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void carry(
    int chunks, int heads, int valueDim, global float *carries, global float *state, long stateAt) {
  int i = get_local_id(0);
  int h = get_group_id(0);
  int width = valueDim + 2;
  global float *last = state + stateAt + (long)h * width;
  float firstSum = last[valueDim + 1];
  float firstMax = firstSum == 0.0f ? -INFINITY : last[valueDim];
  float m = firstMax;
  float u = firstSum;
  for (int d = i; d < valueDim; d += ITEMS) {
    float w = firstSum == 0.0f ? 0.0f : last[d];
    m = firstMax;
    for (int c = 0; c < chunks; c++) {
      global float *chunk = carries + ((long)c * heads + h) * width;
      float chunkMax = chunk[valueDim];
      float total = larger(m, chunkMax);
      float next = w * share(m, total) + chunk[d] * share(chunkMax, total);
      chunk[d] = w;
      w = next;
      m = total;
    }
    last[d] = w;
  }
  barrier(CLK_GLOBAL_MEM_FENCE);
  if (i == 0) {
    m = firstMax;
    for (int c = 0; c < chunks; c++) {
      global float *chunk = carries + ((long)c * heads + h) * width;
      float chunkMax = chunk[valueDim];
      float chunkSum = chunk[valueDim + 1];
      float total = larger(m, chunkMax);
      chunk[valueDim] = m;
      chunk[valueDim + 1] = u;
      u = u * share(m, total) + chunkSum * share(chunkMax, total);
      m = total;
    }
    last[valueDim] = m;
    last[valueDim + 1] = u;
  }
}

// The outputs of a chunk's tokens from the state before it, which `advance` replaces by the one
// after it. Groups: (chunk, head).
kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void prefixes(
    int rows, int heads, int valueDim, global const float *scores, long scoresAt,
    global const float *v, long vAt, global float *carries, long carriesAt, int advance,
    global float *out, long outAt) {
  local float maxima[ITEMS];
  local float sums[ITEMS];
  local float weights[ITEMS];
  local float factors[ITEMS];
  int i = get_local_id(0);
  int h = get_group_id(1);
  long first = (long)get_group_id(0) * ITEMS;
  int count = min((long)ITEMS, rows - first);
  global float *mine = carries + carriesAt + ((long)get_group_id(0) * heads + h) * (valueDim + 2);
  float carrySum = mine[valueDim + 1];
  float carryMax = carrySum == 0.0f ? -INFINITY : mine[valueDim];
  float score = i < count ? scores[scoresAt + (first + i) * heads + h] : -INFINITY;
  maxima[i] = score;
  sums[i] = score == -INFINITY ? 0.0f : 1.0f;
  scan_sums(maxima, sums, carryMax, carrySum);
  weights[i] = share(score, maxima[i]);
  factors[i] = share(i == 0 ? carryMax : maxima[i - 1], maxima[i]);
  barrier(CLK_LOCAL_MEM_FENCE);
  for (int d = i; d < valueDim; d += ITEMS) {
    float w = carrySum == 0.0f ? 0.0f : mine[d];
    for (int t = 0; t < count; t++) {
      long at = ((first + t) * heads + h) * valueDim + d;
      w *= factors[t];
      if (weights[t] != 0.0f) w = fma(weights[t], v[vAt + at], w);
      out[outAt + at] = sums[t] == 0.0f ? 0.0f : w / sums[t];
    }
    if (advance) mine[d] = w;
  }
  if (advance && i == 0) {
    mine[valueDim] = maxima[ITEMS - 1];
    mine[valueDim + 1] = sums[ITEMS - 1];
  }
}
