// Stores rows of keys or values in the slots of a page. One work group per row.

#define ITEMS 64

kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void write_plain(
    int format, global const float *x, long firstAt, long rowStride, int dim, global uchar *page,
    long pageAt, int slot) {
  long row = get_group_id(0);
  global const float *from = x + firstAt + row * rowStride;
  global uchar *to = page + pageAt;
  long at = (slot + row) * dim;
  for (int d = get_local_id(0); d < dim; d += ITEMS) {
    if (format == 0) {
      ((global float *)to)[at + d] = from[d];
    } else if (format == 1) {
      vstore_half_rte(from[d], at + d, (global half *)to);
    } else {
      uint bits = as_uint(from[d]);
      // Truncating a NaN could leave infinity, so one mantissa bit is set instead of rounding.
      uint rounded = isnan(from[d]) ? bits >> 16 | 0x40 : (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
      ((global ushort *)to)[at + d] = (ushort)rounded;
    }
  }
}

kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void write_q8(
    global const float *x, long firstAt, long rowStride, int dim, global uchar *page, long pageAt,
    long scaleAt, int slot) {
  local float scratch[ITEMS];
  long row = get_group_id(0);
  int i = get_local_id(0);
  global const float *from = x + firstAt + row * rowStride;
  float largest = 0.0f;
  int finite = 1;
  for (int d = i; d < dim; d += ITEMS) {
    finite &= isfinite(from[d]);
    largest = fmax(largest, fabs(from[d]));
  }
  scratch[i] = finite ? largest : NAN;
  for (int width = ITEMS / 2; width > 0; width /= 2) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (i < width) {
      float a = scratch[i];
      float b = scratch[i + width];
      // fmax would drop a NaN.
      scratch[i] = isnan(a) || isnan(b) ? NAN : fmax(a, b);
    }
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  float scale = scratch[0] / 127.0f;
  global char *codes = (global char *)(page + pageAt) + (slot + row) * dim;
  for (int d = i; d < dim; d += ITEMS) {
    codes[d] = scale > 0.0f ? convert_char_sat_rte(from[d] / scale) : (char)0;
  }
  if (i == 0) ((global float *)(page + pageAt + scaleAt))[slot + row] = scale;
}

// An item writes groups of 32, see KvFormat.Q4.
kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void write_q4(
    global const float *x, long firstAt, long rowStride, int dim, global uchar *page, long pageAt,
    long parametersAt, int slot) {
  long row = get_group_id(0);
  global const float *from = x + firstAt + row * rowStride;
  int groups = (dim + 31) / 32;
  long codeBytes = dim / 32 * 16 + (dim % 32 + 1) / 2;
  global uchar *codes = page + pageAt + (slot + row) * codeBytes;
  global half *parameters = (global half *)(page + parametersAt) + 2 * (slot + row) * groups;
  for (int g = get_local_id(0); g < groups; g += ITEMS) {
    int first = 32 * g;
    int count = min(32, dim - first);
    int half_count = (count + 1) / 2;
    float low = INFINITY;
    float high = -INFINITY;
    int finite = 1;
    for (int j = 0; j < count; j++) {
      float y = from[first + j];
      finite &= isfinite(y);
      low = fmin(low, y);
      high = fmax(high, y);
    }
    // Rounded outwards, so that codes 0 and 15 enclose the group. Halfs are the page's own.
    vstore_half_rtn(low, 2 * g + 1, parameters);
    float minimum = vload_half(2 * g + 1, parameters);
    vstore_half_rtp(fmax(0.0f, (high - minimum) / 15.0f), 2 * g, parameters);
    float step = vload_half(2 * g, parameters);
    if (!finite || !isfinite(minimum) || !isfinite(step)) {
      vstore_half(0.0f, 2 * g + 1, parameters);
      vstore_half(NAN, 2 * g, parameters);
      step = 0.0f;
    }
    for (int j = 0; j < half_count; j++) {
      int pair = 0;
      for (int part = 0; part < 2; part++) {
        int e = part * half_count + j;
        if (e < count && step > 0.0f) {
          float code = rint((from[first + e] - minimum) / step);
          pair |= (int)clamp(code, 0.0f, 15.0f) << 4 * part;
        }
      }
      codes[16 * g + j] = (uchar)pair;
    }
  }
}
