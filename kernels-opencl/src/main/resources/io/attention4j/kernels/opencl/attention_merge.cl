// After attention.cl. One work group per (query head, row): adds the states of all key ranges and
// the sink.
kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void merge(
    global const long *t, global const float *states, global float *out, global float *lse) {
  int i = get_local_id(0);
  int valueDim = t[H_VALUE_DIM];
  int head = get_group_id(0);
  long row = get_group_id(1);
  long heads = get_num_groups(0);
  long group = t[H_GROUP];
  global const long *sequence = t + t[H_SEQUENCES] + t[t[H_ROWS] + row] * t[H_SEQUENCE_WORDS];
  long first;
  long ranges;
  long step;
  if (t[H_STATES] >= 0) {
    // Gathered: the place of each (row, head) and how many follow, in a table.
    global const long *place = t + t[H_STATES] + 3 * (row * heads + head);
    first = place[0];
    ranges = place[1];
    step = place[2];
  } else {
    long j = (row - sequence[Q_FIRST_ROW]) * group + head % group;
    first = sequence[Q_HEADS + 2 * (head / group)] + j;
    ranges = sequence[Q_HEADS + 2 * (head / group) + 1];
    step = sequence[Q_ROWS] * group;
  }
  long width = valueDim + 2;
  global const float *state = states + first * width;
  step *= width;
  global float *result = out + t[H_OUT] + row * t[H_OUT_ROW] + head * t[H_OUT_HEAD];
  if (t[H_NORMALIZER] == SOFTMAX) {
    float sink = t[H_SINKS] < 0 ? -INFINITY : float_of(t[t[H_SINKS] + head]);
    float largest = sink;
    for (long c = 0; c < ranges; c++) largest = larger(largest, state[c * step + valueDim]);
    float sum = sink == -INFINITY ? 0.0f : exp(sink - largest);
    for (long c = 0; c < ranges; c++) {
      float m = state[c * step + valueDim];
      if (m != -INFINITY) sum = fma(exp(m - largest), state[c * step + valueDim + 1], sum);
    }
    for (int d = i; d < valueDim; d += ITEMS) {
      float v = 0.0f;
      for (long c = 0; c < ranges; c++) {
        float m = state[c * step + valueDim];
        if (m != -INFINITY) v = fma(exp(m - largest), state[c * step + d], v);
      }
      result[d] = sum == 0.0f ? 0.0f : v / sum;
    }
    if (i == 0 && t[H_HAS_LSE]) {
      lse[t[H_LSE] + row * heads + head] = sum == 0.0f ? -INFINITY : largest + log(sum);
    }
  } else {
    for (int d = i; d < valueDim; d += ITEMS) {
      float v = 0.0f;
      for (long c = 0; c < ranges; c++) v += state[c * step + d];
      result[d] = v;
    }
  }
}
