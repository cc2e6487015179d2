// decode16: sixteen consecutive weights of a row, from element k (a multiple of 16) on, as floats.
// Of plain types only the first n exist; the rest become 0. Layouts are GGML's, see DType; PACKED
// ones have lost their scale d, which lies in a plane of its own, so that codes start at 16 bytes.
// ALIGNED: rows start at 16 bytes, too, and hold a multiple of 16 elements.

inline float half_at(global const uchar *p) { return vload_half(0, (global const half *)p); }

inline uchar16 bytes16(global const uchar *p) {
#if defined(ALIGNED)
  return as_uchar16(*(global const uint4 *)p);
#else
  return vload16(0, p);
#endif
}

#if defined(WEIGHT_F32)
inline void decode16(global const uchar *row, global const uchar *scales, int k, int n, float *w) {
  global const float *p = (global const float *)row + k;
#ifdef ALIGNED
  for (int j = 0; j < 4; j++) vstore4(((global const float4 *)p)[j], j, w);
  return;
#endif
  for (int j = 0; j < 16; j++) w[j] = j < n ? p[j] : 0.0f;
}
#elif defined(WEIGHT_F16)
inline void decode16(global const uchar *row, global const uchar *scales, int k, int n, float *w) {
  global const half *p = (global const half *)row + k;
#ifdef ALIGNED
  vstore8(vloada_half8(0, p), 0, w);
  vstore8(vloada_half8(1, p), 1, w);
  return;
#endif
  for (int j = 0; j < 16; j++) w[j] = j < n ? vload_half(j, p) : 0.0f;
}
#elif defined(WEIGHT_BF16)
inline void decode16(global const uchar *row, global const uchar *scales, int k, int n, float *w) {
  global const ushort *p = (global const ushort *)row + k;
#ifdef ALIGNED
  for (int j = 0; j < 2; j++) {
    ushort8 x = as_ushort8(((global const uint4 *)p)[j]);
    vstore8(as_float8(convert_uint8(x) << 16), j, w);
  }
  return;
#endif
  for (int j = 0; j < 16; j++) w[j] = j < n ? as_float((uint)p[j] << 16) : 0.0f;
}
#elif defined(WEIGHT_Q8_0)
inline void decode16(global const uchar *row, global const uchar *scales, int k, int n, float *w) {
#ifdef PACKED
  float d = half_at(scales + 2 * (k / 32));
  float16 q = convert_float16(as_char16(bytes16(row + k)));
#else
  global const uchar *block = row + (long)(k / 32) * 34;
  float d = half_at(block);
  float16 q = convert_float16(as_char16(bytes16(block + 2 + (k & 31))));
#endif
  vstore16(d * q, 0, w);
}
#elif defined(WEIGHT_Q4_0)
inline void decode16(global const uchar *row, global const uchar *scales, int k, int n, float *w) {
#ifdef PACKED
  float d = half_at(scales + 2 * (k / 32));
  uchar16 q = bytes16(row + (k / 32) * 16);
#else
  global const uchar *block = row + (long)(k / 32) * 18;
  float d = half_at(block);
  uchar16 q = bytes16(block + 2);
#endif
  // Elements 0 to 15 of a block are the low nibbles, 16 to 31 the high ones.
  q = (k & 16) ? q >> (uchar)4 : q & (uchar)15;
  vstore16(d * (convert_float16(q) - 8.0f), 0, w);
}
#elif defined(WEIGHT_Q4_K)
inline void decode16(global const uchar *row, global const uchar *scales, int k, int n, float *w) {
  global const uchar *block = row + (long)(k / 256) * 144;
  global const uchar *s = block + 4;
  int sub = (k & 255) / 32;
  int scale = sub < 4 ? s[sub] & 63 : (s[sub + 4] & 15) | (s[sub - 4] >> 6) << 4;
  int minimum = sub < 4 ? s[sub + 4] & 63 : (s[sub + 4] >> 4) | (s[sub] >> 6) << 4;
  uchar16 q = bytes16(block + 16 + 32 * (sub / 2) + (k & 16));
  q = (sub & 1) ? q >> (uchar)4 : q & (uchar)15;
  float d = half_at(block) * scale;
  float m = half_at(block + 2) * minimum;
  vstore16(d * convert_float16(q) - m, 0, w);
}
#elif defined(WEIGHT_Q6_K)
inline void decode16(global const uchar *row, global const uchar *scales, int k, int n, float *w) {
#ifdef PACKED
  global const uchar *block = row + (long)(k / 256) * 208;
  float unit = half_at(scales + 2 * (k / 256));
#else
  global const uchar *block = row + (long)(k / 256) * 210;
  float unit = half_at(block + 208);
#endif
  int sub = (k & 255) / 16;
  int quarter = (sub & 7) / 2;
  uchar16 low = bytes16(block + 64 * (sub / 8) + 32 * (quarter & 1) + 16 * (sub & 1));
  uchar16 high = bytes16(block + 128 + 32 * (sub / 8) + 16 * (sub & 1));
  low = (quarter & 2) ? low >> (uchar)4 : low & (uchar)15;
  high = (high >> (uchar)(2 * quarter)) & (uchar)3;
  float d = unit * (float)((global const char *)block)[192 + sub];
  vstore16(d * (convert_float16(low | high << (uchar)4) - 32.0f), 0, w);
}
#elif defined(WEIGHT_Q4_1)
inline void decode16(global const uchar *row, global const uchar *scales, int k, int n, float *w) {
  global const uchar *block = row + (long)(k / 32) * 20;
  uchar16 q = vload16(0, block + 4);
  q = (k & 16) ? q >> (uchar)4 : q & (uchar)15;
  vstore16(half_at(block) * convert_float16(q) + half_at(block + 2), 0, w);
}
#elif defined(WEIGHT_Q5_0) || defined(WEIGHT_Q5_1)
// Bit e of the four bytes before the nibbles is bit 4 of element e.
inline void decode16(global const uchar *row, global const uchar *scales, int k, int n, float *w) {
#ifdef WEIGHT_Q5_0
  global const uchar *block = row + (long)(k / 32) * 22;
  global const uchar *fifth = block + 2;
  float d = half_at(block);
  float m = -16.0f * d;
#else
  global const uchar *block = row + (long)(k / 32) * 24;
  global const uchar *fifth = block + 4;
  float d = half_at(block);
  float m = half_at(block + 2);
#endif
  int upper = (k & 16) / 16;
  uint bits = (uint)fifth[2 * upper] | (uint)fifth[2 * upper + 1] << 8;
  for (int j = 0; j < 16; j++) {
    uint q = (fifth[4 + j] >> (4 * upper) & 15) | (bits >> j & 1) << 4;
    w[j] = d * q + m;
  }
}
#elif defined(WEIGHT_Q5_K)
inline void decode16(global const uchar *row, global const uchar *scales, int k, int n, float *w) {
  global const uchar *block = row + (long)(k / 256) * 176;
  global const uchar *s = block + 4;
  int sub = (k & 255) / 32;
  int scale = sub < 4 ? s[sub] & 63 : (s[sub + 4] & 15) | (s[sub - 4] >> 6) << 4;
  int minimum = sub < 4 ? s[sub + 4] & 63 : (s[sub + 4] >> 4) | (s[sub] >> 6) << 4;
  global const uchar *codes = block + 48 + 32 * (sub / 2) + (k & 16);
  global const uchar *high = block + 16 + (k & 16);
  float d = half_at(block) * scale;
  float m = half_at(block + 2) * minimum;
  for (int j = 0; j < 16; j++) {
    int q = (codes[j] >> (4 * (sub & 1)) & 15) | (high[j] >> sub & 1) << 4;
    w[j] = d * q - m;
  }
}
#elif defined(WEIGHT_Q2_K)
inline void decode16(global const uchar *row, global const uchar *scales, int k, int n, float *w) {
  global const uchar *block = row + (long)(k / 256) * 84;
  int sub = (k & 255) / 16;
  global const uchar *codes = block + 16 + 32 * (sub / 8) + 16 * (sub & 1);
  int shift = 2 * ((sub & 7) / 2);
  float d = half_at(block + 80) * (block[sub] & 15);
  float m = half_at(block + 82) * (block[sub] >> 4);
  for (int j = 0; j < 16; j++) w[j] = d * (codes[j] >> shift & 3) - m;
}
#elif defined(WEIGHT_Q3_K)
inline void decode16(global const uchar *row, global const uchar *scales, int k, int n, float *w) {
  global const uchar *block = row + (long)(k / 256) * 110;
  int sub = (k & 255) / 16;
  global const uchar *codes = block + 32 + 32 * (sub / 8) + 16 * (sub & 1);
  global const uchar *high = block + 16 * (sub & 1);
  int shift = 2 * ((sub & 7) / 2);
  int low = block[96 + (sub & 7)] >> (4 * (sub / 8)) & 15;
  int top = block[104 + (sub & 3)] >> (2 * (sub / 4)) & 3;
  float d = half_at(block + 108) * ((low | top << 4) - 32);
  for (int j = 0; j < 16; j++) {
    w[j] = d * ((int)((codes[j] >> shift & 3) | (high[j] >> (sub / 2) & 1) << 2) - 4);
  }
}
#endif
