// Linear attention with decay, delta rule and rank-one recall, see LinearScanSpec. KEY_DIM is the
// keyDim rounded up, so that few programs serve all; what lies beyond the keyDim is zero.
//
// A column of a state depends on no other column, so an item keeps one in registers and walks over
// the tokens; a work group has 64 columns of a head. Vectors of KEY_DIM pass through local memory,
// `chunk` tokens at once.

#define ITEMS 64
#define POOL 4096

#define DECAY_HEAD 1
#define DECAY_KEY 2
#define WRITE_DELTA 1
#define WRITE_LOW_RANK 2

inline float product(local const float *a, const float *s) {
  float y = 0.0f;
  for (int j = 0; j < KEY_DIM; j++) y = fma(a[j], s[j], y);
  return y;
}

kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void scan(
    int rows, int heads, int group, int keyDim, int valueDim, float scale, int decays, int writes,
    int chunk, global const float *q, long qAt, global const float *k, long kAt,
    global const float *v, long vAt, global const float *decay, long decayAt,
    global const float *beta, long betaAt, global const float *read, long readAt,
    global const float *write, long writeAt, global float *state, long stateAt, global float *out,
    long outAt) {
  local float pool[POOL];
  int i = get_local_id(0);
  int column = get_group_id(0) * ITEMS + i;
  int h = get_group_id(1);
  int inside = column < valueDim;
  // Vectors of a token, in this order.
  int factorsAt = KEY_DIM;
  int readsAt = factorsAt + (decays == DECAY_KEY ? KEY_DIM : 0);
  int writesAt = readsAt + (writes == WRITE_LOW_RANK ? KEY_DIM : 0);
  int queriesAt = writesAt + (writes == WRITE_LOW_RANK ? KEY_DIM : 0);
  int stride = queriesAt + group * KEY_DIM;
  float s[KEY_DIM];
  global float *mine = state + stateAt + (long)h * keyDim * valueDim + column;
  for (int j = 0; j < KEY_DIM; j++) {
    s[j] = inside && j < keyDim ? mine[(long)j * valueDim] : 0.0f;
  }
  for (int t0 = 0; t0 < rows; t0 += chunk) {
    int count = min(chunk, rows - t0);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int e = i; e < count * KEY_DIM; e += ITEMS) {
      int t = e / KEY_DIM;
      int j = e % KEY_DIM;
      int there = j < keyDim;
      long at = ((long)(t0 + t) * heads + h) * keyDim + j;
      local float *token = pool + t * stride + j;
      token[0] = there ? k[kAt + at] : 0.0f;
      if (decays == DECAY_KEY) token[factorsAt] = there ? exp(decay[decayAt + at]) : 0.0f;
      if (writes == WRITE_LOW_RANK) {
        token[readsAt] = there ? read[readAt + at] : 0.0f;
        token[writesAt] = there ? write[writeAt + at] : 0.0f;
      }
      for (int g = 0; g < group; g++) {
        long head = ((long)(t0 + t) * heads + h) * group + g;
        token[queriesAt + g * KEY_DIM] = there ? q[qAt + head * keyDim + j] : 0.0f;
      }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    if (inside) {
      for (int t = 0; t < count; t++) {
        local const float *token = pool + t * stride;
        long at = (long)(t0 + t) * heads + h;
        float x = v[vAt + at * valueDim + column];
        float recalled = writes == WRITE_LOW_RANK ? product(token + readsAt, s) : 0.0f;
        if (decays == DECAY_HEAD) {
          float factor = exp(decay[decayAt + at]);
          for (int j = 0; j < KEY_DIM; j++) s[j] *= factor;
        } else if (decays == DECAY_KEY) {
          for (int j = 0; j < KEY_DIM; j++) s[j] *= token[factorsAt + j];
        }
        if (writes == WRITE_DELTA) x = beta[betaAt + at] * (x - product(token, s));
        for (int j = 0; j < KEY_DIM; j++) s[j] = fma(token[j], x, s[j]);
        if (writes == WRITE_LOW_RANK) {
          for (int j = 0; j < KEY_DIM; j++) s[j] = fma(token[writesAt + j], recalled, s[j]);
        }
        for (int g = 0; g < group; g++) {
          float y = product(token + queriesAt + g * KEY_DIM, s);
          out[outAt + (at * group + g) * valueDim + column] = scale * y;
        }
      }
    }
  }
  if (inside) {
    for (int j = 0; j < KEY_DIM; j++) {
      if (j < keyDim) mine[(long)j * valueDim] = s[j];
    }
  }
}
