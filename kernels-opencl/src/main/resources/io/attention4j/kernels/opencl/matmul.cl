// y = x W^T (+ bias), after weights.cl. W is [out, in] with rows of rowBytes.

#define ITEMS 64
#define TILE 32
#define DEPTH 32

inline void store(
    global float *y, global const float *bias, int hasBias, int accumulate, long at, int o, float v) {
  v += hasBias ? bias[o] : 0.0f;
  y[at] = accumulate ? y[at] + v : v;
}

// Decode: one work group per output and row; its items stride over the row's groups of sixteen.
kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void gemv(
    global const uchar *weights, long firstByte, long rowBytes, long scalesAt, long rowScales, int in,
    int out,
    global const float *x, long xAt, global const float *bias, long biasAt, int hasBias,
    global float *y, long yAt, int accumulate) {
  local float sums[ITEMS];
  int i = get_local_id(0);
  int o = get_group_id(0);
  long r = get_group_id(1);
  global const uchar *row = weights + firstByte + o * rowBytes;
  global const uchar *scales = weights + scalesAt + o * rowScales;
  global const float *xr = x + xAt + r * in;
  float sum = 0.0f;
  for (int k = 16 * i; k < in; k += 16 * ITEMS) {
    float w[16];
    int n = min(16, in - k);
    decode16(row, scales, k, n, w);
    if (n == 16) {
#ifdef ALIGNED
      global const float4 *x4 = (global const float4 *)(xr + k);
      float16 product = vload16(0, w) * (float16)(x4[0], x4[1], x4[2], x4[3]);
#else
      float16 product = vload16(0, w) * vload16(0, xr + k);
#endif
      float8 a = product.lo + product.hi;
      float4 b = a.lo + a.hi;
      float2 c = b.lo + b.hi;
      sum += c.x + c.y;
    } else {
      for (int j = 0; j < n; j++) sum = fma(w[j], xr[k + j], sum);
    }
  }
  sums[i] = sum;
  for (int half_width = ITEMS / 2; half_width > 0; half_width /= 2) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (i < half_width) sums[i] += sums[i + half_width];
  }
  if (i == 0) store(y + yAt, bias + biasAt, hasBias, accumulate, r * out + o, o, sums[0]);
}

// Prefill: a work group computes 32 outputs of 32 rows, 4 x 4 an item, from tiles in local memory.
kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void gemm(
    global const uchar *weights, long firstByte, long rowBytes, long scalesAt, long rowScales, int in,
    int out, int rows,
    global const float *x, long xAt, global const float *bias, long biasAt, int hasBias,
    global float *y, long yAt, int accumulate) {
  local float ws[DEPTH][TILE + 1];
  local float xs[DEPTH][TILE + 1];
  int i = get_local_id(0);
  int o0 = get_group_id(0) * TILE;
  int r0 = get_group_id(1) * TILE;
  int oi = i % 8;
  int ri = i / 8;
  float acc[4][4];
  for (int a = 0; a < 4; a++) for (int b = 0; b < 4; b++) acc[a][b] = 0.0f;
  for (int k0 = 0; k0 < in; k0 += DEPTH) {
    int o = o0 + i / 2;
    int k = k0 + 16 * (i % 2);
    float w[16];
    if (o < out && k < in) {
      decode16(weights + firstByte + o * rowBytes, weights + scalesAt + o * rowScales, k,
          min(16, in - k), w);
    } else {
      for (int j = 0; j < 16; j++) w[j] = 0.0f;
    }
    for (int j = 0; j < 16; j++) ws[16 * (i % 2) + j][i / 2] = w[j];
    for (int e = i; e < TILE * DEPTH; e += ITEMS) {
      int r = e / DEPTH;
      int d = e % DEPTH;
      int inside = r0 + r < rows && k0 + d < in;
      xs[d][r] = inside ? x[xAt + (long)(r0 + r) * in + k0 + d] : 0.0f;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int d = 0; d < DEPTH; d++) {
      for (int a = 0; a < 4; a++) {
        for (int b = 0; b < 4; b++) {
          acc[a][b] = fma(xs[d][ri + 8 * a], ws[d][oi + 8 * b], acc[a][b]);
        }
      }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
  }
  for (int a = 0; a < 4; a++) {
    for (int b = 0; b < 4; b++) {
      int r = r0 + ri + 8 * a;
      int o = o0 + oi + 8 * b;
      if (r < rows && o < out) {
        store(y + yAt, bias + biasAt, hasBias, accumulate, (long)r * out + o, o, acc[a][b]);
      }
    }
  }
}
