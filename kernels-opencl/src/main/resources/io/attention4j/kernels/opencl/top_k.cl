// The highest elements of rows. An element is one 64-bit key whose order as a signed number is the
// one wanted: the upper half orders the values, the lower is the complement of the index, so that
// of equals the lower index is higher. One work group finds the k highest of SLICE keys; passes
// follow each other until one slice is left.

#define ITEMS 64
#define SLICE 1024

inline long key_of(float value, int index) {
  // Sign and magnitude become two's complement; -0 is 0, and NaN is above infinity.
  int bits = value == 0.0f ? 0 : as_int(value);
  int order = isnan(value) ? INT_MAX : bits ^ (bits >> 31 & INT_MAX);
  return (long)order << 32 | (uint)~index;
}

// Two directions of a compare-exchange, a step of the bitonic sort.
inline void exchange(local long *keys, int low, int high, int descending) {
  long a = keys[low];
  long b = keys[high];
  if ((a < b) == descending) {
    keys[low] = b;
    keys[high] = a;
  }
}

inline void sort_descending(local long *keys) {
  for (int run = 2; run <= SLICE; run *= 2) {
    for (int distance = run / 2; distance > 0; distance /= 2) {
      barrier(CLK_LOCAL_MEM_FENCE);
      for (int e = get_local_id(0); e < SLICE / 2; e += ITEMS) {
        int low = 2 * e - (e & (distance - 1));
        exchange(keys, low, low + distance, (low & run) == 0);
      }
    }
  }
}

inline void find(
    local long *keys, int k, int slices, global long *out, long outAt) {
  int i = get_local_id(0);
  if (k == 1) {
    long best = LONG_MIN;
    for (int e = i; e < SLICE; e += ITEMS) best = max(best, keys[e]);
    // Each item reads and writes only its own places until here.
    keys[i] = best;
    for (int width = ITEMS / 2; width > 0; width /= 2) {
      barrier(CLK_LOCAL_MEM_FENCE);
      if (i < width) keys[i] = max(keys[i], keys[i + width]);
    }
  } else {
    sort_descending(keys);
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  long first = outAt + ((long)get_group_id(1) * slices + get_group_id(0)) * k;
  for (int e = i; e < k; e += ITEMS) out[first + e] = keys[e];
}

// Groups: (slice, row).
kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void top_of_values(
    int size, int k, int slices, global const float *x, long xAt, global long *out, long outAt) {
  local long keys[SLICE];
  int from = get_group_id(0) * SLICE;
  long row = xAt + (long)get_group_id(1) * size;
  for (int e = get_local_id(0); e < SLICE; e += ITEMS) {
    int index = from + e;
    keys[e] = index < size ? key_of(x[row + index], index) : LONG_MIN;
  }
  find(keys, k, slices, out, outAt);
}

kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void top_of_keys(
    int size, int k, int slices, global long *memory, long inAt, long outAt) {
  local long keys[SLICE];
  int from = get_group_id(0) * SLICE;
  long row = inAt + (long)get_group_id(1) * size;
  for (int e = get_local_id(0); e < SLICE; e += ITEMS) {
    int index = from + e;
    keys[e] = index < size ? memory[row + index] : LONG_MIN;
  }
  find(keys, k, slices, memory, outAt);
}
