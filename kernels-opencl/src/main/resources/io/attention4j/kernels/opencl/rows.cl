// Row-wise and element-wise kernels on contiguous F32.

#define ITEMS 64

// The sum (or maximum) over the items of a work group, for every one of them.
inline float sum_of(local float *scratch, float value) {
  int i = get_local_id(0);
  barrier(CLK_LOCAL_MEM_FENCE);
  scratch[i] = value;
  for (int width = ITEMS / 2; width > 0; width /= 2) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (i < width) scratch[i] += scratch[i + width];
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  return scratch[0];
}

inline float max_of(local float *scratch, float value) {
  int i = get_local_id(0);
  barrier(CLK_LOCAL_MEM_FENCE);
  scratch[i] = value;
  for (int width = ITEMS / 2; width > 0; width /= 2) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (i < width) scratch[i] = fmax(scratch[i], scratch[i + width]);
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  return scratch[0];
}

// One work group per row. layer: subtract the mean first.
kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void norm(
    int layer, int size, float epsilon, float weightOffset, global const float *x, long xAt,
    global const float *weight, long weightAt, int hasWeight,
    global const float *bias, long biasAt, int hasBias, global float *out, long outAt) {
  local float scratch[ITEMS];
  long row = get_group_id(0);
  int i = get_local_id(0);
  global const float *in = x + xAt + row * size;
  float mean = 0.0f;
  if (layer) {
    float sum = 0.0f;
    for (int d = i; d < size; d += ITEMS) sum += in[d];
    mean = sum_of(scratch, sum) / size;
  }
  float squares = 0.0f;
  for (int d = i; d < size; d += ITEMS) {
    float centred = in[d] - mean;
    squares = fma(centred, centred, squares);
  }
  float scale = 1.0f / sqrt(sum_of(scratch, squares) / size + epsilon);
  for (int d = i; d < size; d += ITEMS) {
    float w = (hasWeight ? weight[weightAt + d] : 1.0f) + weightOffset;
    float b = hasBias ? bias[biasAt + d] : 0.0f;
    out[outAt + row * size + d] = (in[d] - mean) * scale * w + b;
  }
}

// One work group per row; a row of -inf gives zeros.
kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void softmax(
    int size, global const float *x, long xAt, global float *out, long outAt) {
  local float scratch[ITEMS];
  long row = get_group_id(0);
  int i = get_local_id(0);
  global const float *in = x + xAt + row * size;
  float largest = -INFINITY;
  for (int d = i; d < size; d += ITEMS) largest = fmax(largest, in[d]);
  largest = max_of(scratch, largest);
  float sum = 0.0f;
  for (int d = i; d < size; d += ITEMS) {
    sum += largest == -INFINITY ? 0.0f : exp(in[d] - largest);
  }
  sum = sum_of(scratch, sum);
  for (int d = i; d < size; d += ITEMS) {
    out[outAt + row * size + d] = largest == -INFINITY ? 0.0f : exp(in[d] - largest) / sum;
  }
}

// Items: (pair, head, row).
kernel void rope(
    int halfSplit, int heads, int headDim, int pairs, global float *x, long xAt,
    global const float *cosines, long cosAt, global const float *sines, long sinAt) {
  int p = get_global_id(0);
  long h = get_global_id(1);
  long r = get_global_id(2);
  global float *head = x + xAt + (r * heads + h) * headDim;
  int first = halfSplit ? p : 2 * p;
  int second = halfSplit ? p + pairs : 2 * p + 1;
  float c = cosines[cosAt + r * pairs + p];
  float s = sines[sinAt + r * pairs + p];
  float a = head[first];
  float b = head[second];
  head[first] = a * c - b * s;
  head[second] = a * s + b * c;
}

// Numbers as in ActivationKernel.Function.
kernel void activate(
    int function, long elements, global const float *x, long xAt, global const float *gated,
    long gatedAt, int hasGated, global float *out, long outAt) {
  long i = get_global_id(0);
  if (i >= elements) return;
  float v = x[xAt + i];
  float y;
  switch (function) {
    case 0: y = v / (1.0f + exp(-v)); break;
    // For large -v, 1 + erf(v) cancels; erfc does not.
    case 1: y = 0.5f * v * erfc(-v * M_SQRT1_2_F); break;
    // (1 + tanh u) / 2 = sigmoid(2u), which does not cancel for large -u.
    case 2: y = v / (1.0f + exp(-1.5957691216f * (v + 0.044715f * v * v * v))); break;
    case 3: y = fmax(v, 0.0f); break;
    case 5: y = fmax(v, 0.0f) + log1p(exp(-fabs(v))); break;
    default: y = 1.0f / (1.0f + exp(-v));
  }
  out[outAt + i] = hasGated ? y * gated[gatedAt + i] : y;
}

// Numbers as in ElementwiseKernel.Operation.
kernel void elementwise(
    int operation, long elements, global float *x, long xAt, global const float *y, long yAt,
    float scalar) {
  long i = get_global_id(0);
  if (i >= elements) return;
  float v = x[xAt + i];
  switch (operation) {
    case 0: v += y[yAt + i]; break;
    case 1: v *= y[yAt + i]; break;
    case 2: v *= scalar; break;
    default: v = scalar * tanh(v / scalar);
  }
  x[xAt + i] = v;
}
