// Linear attention with decay and delta rule, see LinearScanSpec. Options: KEY_DIM, CHUNK (tokens
// that pass through local memory at once), GROUP (query heads of a state), DECAYS (0, 1 per head,
// 2 per key dimension), DELTA (0 or 1).
//
// A column of a state depends on no other column, so an item keeps one in registers and walks over
// the tokens; a work group has 64 columns of a head.

#define ITEMS 64

kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void scan(
    int rows, int heads, int valueDim, float scale,
    global const float *q, long qAt, global const float *k, long kAt, global const float *v, long vAt,
    global const float *decay, long decayAt, global const float *beta, long betaAt,
    global float *state, long stateAt, global float *out, long outAt) {
  local float qs[CHUNK][GROUP][KEY_DIM];
  local float ks[CHUNK][KEY_DIM];
#if DECAYS == 2
  local float factors[CHUNK][KEY_DIM];
#endif
  int i = get_local_id(0);
  int column = get_group_id(0) * ITEMS + i;
  int h = get_group_id(1);
  int inside = column < valueDim;
  float s[KEY_DIM];
  global float *mine = state + stateAt + (long)h * KEY_DIM * valueDim + column;
  for (int j = 0; j < KEY_DIM; j++) s[j] = inside ? mine[(long)j * valueDim] : 0.0f;
  for (int t0 = 0; t0 < rows; t0 += CHUNK) {
    int count = min(CHUNK, rows - t0);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int e = i; e < count * KEY_DIM; e += ITEMS) {
      int t = e / KEY_DIM;
      int j = e % KEY_DIM;
      long at = ((long)(t0 + t) * heads + h) * KEY_DIM + j;
      ks[t][j] = k[kAt + at];
#if DECAYS == 2
      factors[t][j] = exp(decay[decayAt + at]);
#endif
      for (int g = 0; g < GROUP; g++) {
        long head = (long)(t0 + t) * heads * GROUP + h * GROUP + g;
        qs[t][g][j] = q[qAt + head * KEY_DIM + j];
      }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    if (inside) {
      for (int t = 0; t < count; t++) {
        long token = (long)(t0 + t) * heads + h;
        float x = v[vAt + token * valueDim + column];
#if DECAYS == 1
        float factor = exp(decay[decayAt + token]);
        for (int j = 0; j < KEY_DIM; j++) s[j] *= factor;
#elif DECAYS == 2
        for (int j = 0; j < KEY_DIM; j++) s[j] *= factors[t][j];
#endif
#if DELTA
        float known = 0.0f;
        for (int j = 0; j < KEY_DIM; j++) known = fma(ks[t][j], s[j], known);
        x = beta[betaAt + token] * (x - known);
#endif
        for (int j = 0; j < KEY_DIM; j++) s[j] = fma(ks[t][j], x, s[j]);
        for (int g = 0; g < GROUP; g++) {
          float y = 0.0f;
          for (int j = 0; j < KEY_DIM; j++) y = fma(qs[t][g][j], s[j], y);
          out[outAt + (token * GROUP + g) * valueDim + column] = scale * y;
        }
      }
    }
  }
  if (inside) {
    for (int j = 0; j < KEY_DIM; j++) mine[(long)j * valueDim] = s[j];
  }
}
