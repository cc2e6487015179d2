// What the attention kernels share. Options of a program:
//   KEY_FORMAT, VALUE_FORMAT: F32 .. Q4, or ANY, which asks the table,
//   ROWS (query vectors of a work group), TILE (most keys of a segment),
//   ALIGNED: eight elements may be loaded at once anywhere.
// Masks, modifiers and head sizes are data, so that many specs share a program.
//
// Everything that changes from step to step is one table of 64-bit words, see StepTable:
//   header   H_x
//   work     of each work group, see W_x
//   segments up to TILE keys, see S_x
//   entries  keys of gathered segments, see E_x
//   sequences see Q_x
//   mask and modifiers, see visible and modified

#define ITEMS 64

#define H_SEGMENTS 0
#define H_SEQUENCES 1
#define H_SEQUENCE_WORDS 2
#define H_GROUP 3
#define H_SCALE 4
#define H_MASK 5
#define H_MASK_END 6
#define H_MODIFIERS 7
#define H_MODIFIERS_END 8
#define H_NORMALIZER 9
#define H_SIGMOID_BIAS 10
#define H_ROWS 11
#define H_SINKS 12
#define H_STATES 13
#define H_Q 14
#define H_Q_ROW 15
#define H_Q_HEAD 16
#define H_BITS 17
#define H_BITS_S 18
#define H_BITS_H 19
#define H_BITS_R 20
#define H_BITS_K 21
#define H_BITS_N 22
#define H_BIAS 23
#define H_BIAS_S 24
#define H_BIAS_H 25
#define H_BIAS_R 26
#define H_BIAS_K 27
#define H_OUT 28
#define H_OUT_ROW 29
#define H_OUT_HEAD 30
#define H_LSE 31
#define H_HAS_LSE 32
#define H_HEAD_DIM 33
#define H_VALUE_DIM 34
#define H_KEY_FORMAT 35
#define H_VALUE_FORMAT 36

// Vectors FIRST .. FIRST + VECTORS of HEADS query heads from HEAD on: vector j is row j / HEADS, or
// the j-th of the listed rows if there is a list. Keys: segments FROM .. TO or, with a table of
// blocks, visits FROM .. TO, each a block number times 2 plus 1 if all of the block is visible.
#define W_SEQUENCE 0
#define W_HEAD 1
#define W_HEADS 2
#define W_FIRST 3
#define W_VECTORS 4
#define W_FROM 5
#define W_TO 6
#define W_BLOCKS 7
#define W_STATE 8
#define W_LIST 9
#define W_LOWEST_ROW 10
#define W_HIGHEST_ROW 11
#define W_WORDS 12

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
#define S_ENTRIES 10
#define S_MEMORY 11
#define S_WORDS 12

#define E_KEY 0
#define E_VALUE 1
#define E_KEY_SCALE 2
#define E_VALUE_SCALE 3
#define E_SLOT 4
#define E_POSITION 5
#define E_BIAS 6
#define E_WORDS 7

#define Q_FIRST_ROW 0
#define Q_ROWS 1
#define Q_POSITION 2
#define Q_PREFIX 3
#define Q_DOCUMENTS 4
#define Q_HEADS 5

#define SOFTMAX 0
#define SIGMOID 1

#define HIDDEN 0
#define MIXED 1
#define VISIBLE 2

inline float float_of(long word) { return as_float((int)word); }

// fmax would drop a NaN.
inline float larger(float a, float b) { return b > a || isnan(b) ? b : a; }

// A mask in postfix order, three words an operation; AND and OR take the last a results.
#define M_ALL 0
#define M_CAUSAL 1
#define M_WINDOW 2
#define M_GLOBAL 3
#define M_PREFIX 4
#define M_DOCUMENT 5
#define M_BITS 6
#define M_AND 7

inline uint fold(uint results, long op, long n) {
  uint last = (1u << n) - 1;
  uint r = op == M_AND ? (results & last) == last : (results & last) != 0;
  return (results >> n) << 1 | r;
}

inline int visible(
    global const long *t, global const long *sequence, global const char *bits, long slot,
    long query, long key) {
  uint results = 0;
  for (long m = t[H_MASK]; m < t[H_MASK_END]; m += 3) {
    long op = t[m];
    long a = t[m + 1];
    uint r = 1;
    if (op == M_CAUSAL) {
      r = key <= query;
    } else if (op == M_WINDOW) {
      r = query - key <= a && key - query <= t[m + 2];
    } else if (op == M_GLOBAL) {
      r = key < a || query < a;
    } else if (op == M_PREFIX) {
      r = key <= query || key < sequence[Q_PREFIX];
    } else if (op == M_DOCUMENT) {
      global const long *documents = t + sequence[Q_DOCUMENTS];
      r = query >= 0 && documents[query] == documents[key];
    } else if (op == M_BITS) {
      r = slot < t[H_BITS_N] && bits[slot * t[H_BITS_K]] != 0;
    } else if (op >= M_AND) {
      results = fold(results, op, a);
      continue;
    }
    results = results << 1 | r;
  }
  return results & 1;
}

// What the mask does to all pairs of two ranges of positions; MIXED where that is not easy to say.
inline int mask_of_range(
    global const long *t, global const long *sequence, long lowestQuery, long highestQuery,
    long lowestKey, long highestKey) {
  uint any = 0;
  uint every = 0;
  for (long m = t[H_MASK]; m < t[H_MASK_END]; m += 3) {
    long op = t[m];
    long a = t[m + 1];
    uint some = 1;
    uint all = op == M_ALL;
    if (op == M_CAUSAL) {
      some = lowestKey <= highestQuery;
      all = highestKey <= lowestQuery;
    } else if (op == M_WINDOW) {
      long b = t[m + 2];
      some = lowestQuery - highestKey <= a && lowestKey - highestQuery <= b;
      all = highestQuery - lowestKey <= a && highestKey - lowestQuery <= b;
    } else if (op == M_GLOBAL) {
      some = lowestKey < a || lowestQuery < a;
      all = highestKey < a || highestQuery < a;
    } else if (op == M_PREFIX) {
      some = lowestKey <= highestQuery || lowestKey < sequence[Q_PREFIX];
      all = highestKey <= lowestQuery || highestKey < sequence[Q_PREFIX];
    } else if (op >= M_AND) {
      any = fold(any, op, a);
      every = fold(every, op, a);
      continue;
    }
    any = any << 1 | some;
    every = every << 1 | all;
  }
  return (any & 1) == 0 ? HIDDEN : (every & 1) ? VISIBLE : MIXED;
}

// Modifiers in order, two words each.
#define F_CAP 0
#define F_ALIBI 1

inline float modified(
    float x, global const long *t, int head, long query, long key, global const float *bias,
    long slot) {
  for (long m = t[H_MODIFIERS]; m < t[H_MODIFIERS_END]; m += 2) {
    long op = t[m];
    if (op == F_CAP) {
      float cap = float_of(t[m + 1]);
      x = cap * tanh(x / cap);
    } else if (op == F_ALIBI) {
      x -= float_of(t[t[m + 1] + head]) * (float)abs(query - key);
    } else {
      x += bias[slot * t[H_BIAS_K]];
    }
  }
  return x;
}

// The weight of a score before it is divided by the sum of its row.
inline float weight_of(float x, float largest, long normalizer, float sigmoidBias) {
  if (x == -INFINITY) return 0.0f;
  if (normalizer == SOFTMAX) return exp(x - largest);
  if (normalizer == SIGMOID) return 1.0f / (1.0f + exp(-(x + sigmoidBias)));
  return x;
}

// Of each format: BYTES and PARAMETERS, those of a vector and of what its codes are read with, which
// lies apart; FACTOR, what all elements are multiplied with in the end; load, the elements d .. d + 8
// where d is a multiple of 8; one, element d.
#define BYTES_F32(format, dim) (4 * (dim))
#define BYTES_F16(format, dim) (2 * (dim))
#define BYTES_BF16(format, dim) (2 * (dim))
#define BYTES_Q8(format, dim) (dim)
#define BYTES_Q4(format, dim) ((dim) / 32 * 16 + ((dim) % 32 + 1) / 2)
#define PARAMETERS_F32(format, dim) 0
#define PARAMETERS_F16(format, dim) 0
#define PARAMETERS_BF16(format, dim) 0
#define PARAMETERS_Q8(format, dim) 4
#define PARAMETERS_Q4(format, dim) (((dim) + 31) / 32 * 4)
#define FACTOR_F32(format, parameters) 1.0f
#define FACTOR_F16(format, parameters) 1.0f
#define FACTOR_BF16(format, parameters) 1.0f
#define FACTOR_Q8(format, parameters) (*(global const float *)(parameters))
#define FACTOR_Q4(format, parameters) 1.0f

inline float8 load_F32(
    int format, global const uchar *p, global const uchar *parameters, int d, int dim) {
  global const float4 *x = (global const float4 *)((global const float *)p + d);
  return (float8)(x[0], x[1]);
}
inline float8 load_F16(
    int format, global const uchar *p, global const uchar *parameters, int d, int dim) {
  return vloada_half8(0, (global const half *)p + d);
}
inline float8 load_BF16(
    int format, global const uchar *p, global const uchar *parameters, int d, int dim) {
  return as_float8(convert_uint8(as_ushort8(*(global const uint4 *)(p + 2 * d))) << 16);
}
inline float8 load_Q8(
    int format, global const uchar *p, global const uchar *parameters, int d, int dim) {
  return convert_float8(*(global const char8 *)(p + d));
}
inline float one_F32(
    int format, global const uchar *p, global const uchar *parameters, int d, int dim) {
  return ((global const float *)p)[d];
}
inline float one_F16(
    int format, global const uchar *p, global const uchar *parameters, int d, int dim) {
  return vload_half(d, (global const half *)p);
}
inline float one_BF16(
    int format, global const uchar *p, global const uchar *parameters, int d, int dim) {
  return as_float((uint)((global const ushort *)p)[d] << 16);
}
inline float one_Q8(
    int format, global const uchar *p, global const uchar *parameters, int d, int dim) {
  return ((global const char *)p)[d];
}
// Byte j of a group of n elements holds element j in its low and n / 2 + j in its high half.
inline float one_Q4(
    int format, global const uchar *p, global const uchar *parameters, int d, int dim) {
  int g = d / 32;
  int j = d % 32;
  int half_count = (min(32, dim - 32 * g) + 1) / 2;
  uchar pair = p[16 * g + (j < half_count ? j : j - half_count)];
  float code = j < half_count ? pair & 15 : pair >> 4;
  global const half *of_group = (global const half *)parameters + 2 * g;
  return fma(vload_half(0, of_group), code, vload_half(1, of_group));
}
inline float8 load_Q4(
    int format, global const uchar *p, global const uchar *parameters, int d, int dim) {
  int g = d / 32;
  if (dim - 32 * g >= 32) {
    uchar8 pairs = vload8(0, p + 16 * g + (d & 8));
    float8 codes = convert_float8((d & 16) ? pairs >> (uchar)4 : pairs & (uchar)15);
    global const half *of_group = (global const half *)parameters + 2 * g;
    return fma((float8)(vload_half(0, of_group)), codes, (float8)(vload_half(1, of_group)));
  }
  float w[8];
  for (int j = 0; j < 8; j++) w[j] = one_Q4(format, p, parameters, d + j, dim);
  return vload8(0, w);
}

// Pages of two formats are rare, and all pairs of them share one program.
#define IS_F32 0
#define IS_F16 1
#define IS_BF16 2
#define IS_Q8 3
#define IS_Q4 4

inline long BYTES_ANY(int format, long dim) {
  return format == IS_F32 ? 4 * dim
      : format == IS_F16 || format == IS_BF16 ? 2 * dim
      : format == IS_Q8 ? dim
                        : BYTES_Q4(format, dim);
}
inline long PARAMETERS_ANY(int format, long dim) {
  return format == IS_Q8 ? 4 : format == IS_Q4 ? PARAMETERS_Q4(format, dim) : 0;
}
inline float FACTOR_ANY(int format, global const uchar *parameters) {
  return format == IS_Q8 ? FACTOR_Q8(format, parameters) : 1.0f;
}
#define ANY_OF(function) \
  switch (format) { \
    case IS_F32: return function##_F32(format, p, parameters, d, dim); \
    case IS_F16: return function##_F16(format, p, parameters, d, dim); \
    case IS_BF16: return function##_BF16(format, p, parameters, d, dim); \
    case IS_Q8: return function##_Q8(format, p, parameters, d, dim); \
    default: return function##_Q4(format, p, parameters, d, dim); \
  }
inline float8 load_ANY(
    int format, global const uchar *p, global const uchar *parameters, int d, int dim) {
  ANY_OF(load)
}
inline float one_ANY(
    int format, global const uchar *p, global const uchar *parameters, int d, int dim) {
  ANY_OF(one)
}

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

// The elements d .. d + 8 of a key; those beyond its end are 0.
inline float8 load_key(
    int format, global const uchar *p, global const uchar *parameters, int d, int dim) {
#ifdef ALIGNED
  return JOIN(load_, KEY_FORMAT)(format, p, parameters, d, dim);
#else
  float w[8];
  for (int j = 0; j < 8; j++) {
    w[j] = d + j < dim ? JOIN(one_, KEY_FORMAT)(format, p, parameters, d + j, dim) : 0.0f;
  }
  return vload8(0, w);
#endif
}

inline float8 load_value(
    int format, global const uchar *p, global const uchar *parameters, int d, int dim) {
#ifdef ALIGNED
  return JOIN(load_, VALUE_FORMAT)(format, p, parameters, d, dim);
#else
  float w[8];
  for (int j = 0; j < 8; j++) {
    w[j] = d + j < dim ? JOIN(one_, VALUE_FORMAT)(format, p, parameters, d + j, dim) : 0.0f;
  }
  return vload8(0, w);
#endif
}

// Pages of a launch lie in up to so many pairs of buffers of keys and of values, so that ranges of
// keys need not end where memory does.
#define MEMORIES 8
#define PAGE_MEMORIES                                    \
  global const uchar *k0, global const uchar *v0,        \
      global const uchar *k1, global const uchar *v1,    \
      global const uchar *k2, global const uchar *v2,    \
      global const uchar *k3, global const uchar *v3,    \
      global const uchar *k4, global const uchar *v4,    \
      global const uchar *k5, global const uchar *v5,    \
      global const uchar *k6, global const uchar *v6,    \
      global const uchar *k7, global const uchar *v7
#define KEYS_OF(segment) one_of(segment[S_MEMORY], k0, k1, k2, k3, k4, k5, k6, k7)
#define VALUES_OF(segment) one_of(segment[S_MEMORY], v0, v1, v2, v3, v4, v5, v6, v7)

inline global const uchar *one_of(
    long memory, global const uchar *m0, global const uchar *m1, global const uchar *m2,
    global const uchar *m3, global const uchar *m4, global const uchar *m5,
    global const uchar *m6, global const uchar *m7) {
  switch ((int)(memory % MEMORIES)) {
    case 0: return m0;
    case 1: return m1;
    case 2: return m2;
    case 3: return m3;
    case 4: return m4;
    case 5: return m5;
    case 6: return m6;
    default: return m7;
  }
}

// Where key k of a segment lies, and what its codes are read with.
inline global const uchar *key_at(
    global const long *t, global const long *segment, global const uchar *keys, int k) {
  long entries = segment[S_ENTRIES];
  long bytes = JOIN(BYTES_, KEY_FORMAT)((int)t[H_KEY_FORMAT], t[H_HEAD_DIM]);
  return keys + (entries < 0 ? segment[S_KEYS] + k * bytes : t[entries + k * E_WORDS + E_KEY]);
}

inline global const uchar *value_at(
    global const long *t, global const long *segment, global const uchar *values, int k) {
  long entries = segment[S_ENTRIES];
  long bytes = JOIN(BYTES_, VALUE_FORMAT)((int)t[H_VALUE_FORMAT], t[H_VALUE_DIM]);
  return values
      + (entries < 0 ? segment[S_VALUES] + k * bytes : t[entries + k * E_WORDS + E_VALUE]);
}

inline global const uchar *key_parameters(
    global const long *t, global const long *segment, global const uchar *keys, int k) {
  long entries = segment[S_ENTRIES];
  long bytes = JOIN(PARAMETERS_, KEY_FORMAT)((int)t[H_KEY_FORMAT], t[H_HEAD_DIM]);
  return keys
      + (entries < 0 ? segment[S_KEY_SCALES] + k * bytes
                     : t[entries + k * E_WORDS + E_KEY_SCALE]);
}

inline global const uchar *value_parameters(
    global const long *t, global const long *segment, global const uchar *values, int k) {
  long entries = segment[S_ENTRIES];
  long bytes = JOIN(PARAMETERS_, VALUE_FORMAT)((int)t[H_VALUE_FORMAT], t[H_VALUE_DIM]);
  return values
      + (entries < 0 ? segment[S_VALUE_SCALES] + k * bytes
                     : t[entries + k * E_WORDS + E_VALUE_SCALE]);
}

#define KEY_FACTOR(parameters) JOIN(FACTOR_, KEY_FORMAT)((int)t[H_KEY_FORMAT], parameters)
#define VALUE_FACTOR(parameters) JOIN(FACTOR_, VALUE_FORMAT)((int)t[H_VALUE_FORMAT], parameters)

// The final score of a pair from its scaled dot product, -inf if it is hidden.
inline float score_of(
    float x, global const long *t, global const long *sequence, global const long *segment,
    global const char *bits, global const float *bias, int s, int head, int row, int k, int mask) {
  long entries = segment[S_ENTRIES];
  global const long *entry = t + entries + k * E_WORDS;
  long slot = entries < 0 ? segment[S_SLOT] + k : entry[E_SLOT];
  long query = sequence[Q_POSITION] + row;
  long key = entries >= 0 ? entry[E_POSITION]
      : segment[S_POSITIONS] < 0 ? segment[S_LOWEST] + k
                                 : t[segment[S_POSITIONS] + k];
  if (mask == MIXED) {
    global const char *rowBits =
        bits + t[H_BITS] + s * t[H_BITS_S] + head * t[H_BITS_H] + row * t[H_BITS_R];
    if (!visible(t, sequence, rowBits, slot, query, key)) return -INFINITY;
  }
  global const float *rowBias =
      bias + t[H_BIAS] + s * t[H_BIAS_S] + head * t[H_BIAS_H] + row * t[H_BIAS_R];
  x = modified(x, t, head, query, key, rowBias, slot);
  if (entries >= 0) return x + float_of(entry[E_BIAS]);
  return segment[S_BIAS] < 0 ? x : x + float_of(t[segment[S_BIAS] + k]);
}

inline int row_of(global const long *t, global const long *work, int j) {
  return work[W_LIST] < 0 ? j / (int)work[W_HEADS] : (int)t[work[W_LIST] + j];
}

inline int head_of(global const long *work, int j) {
  return (int)work[W_HEAD] + (work[W_LIST] < 0 ? j % (int)work[W_HEADS] : 0);
}

inline long state_of(
    global const long *work, long group, int j, int row, int head) {
  return work[W_STATE] + (work[W_LIST] < 0 ? row * group + head % group : j);
}

// The keys of a work group: after begin_walk, every next_segment gives a segment that the mask
// does not hide, with what the mask does to it, until there is none. All of it is uniform over the
// work group, so the barriers of a loop over it stay matched.
typedef struct {
  global const long *work;
  global const long *sequence;
  long blocks;
  long visit;
  long visits;
  long segment;
  long segments;
  long lowestQuery;
  long highestQuery;
  int masked;
  int memory;
  int allVisible;
  int mask;
} Walk;

inline Walk begin_walk(global const long *t, global const long *work, int memory) {
  Walk w;
  w.work = work;
  w.sequence = t + t[H_SEQUENCES] + work[W_SEQUENCE] * t[H_SEQUENCE_WORDS];
  w.blocks = work[W_BLOCKS];
  w.visit = work[W_FROM];
  w.visits = work[W_TO];
  w.segment = 0;
  w.segments = 0;
  w.lowestQuery = w.sequence[Q_POSITION] + work[W_LOWEST_ROW];
  w.highestQuery = w.sequence[Q_POSITION] + work[W_HIGHEST_ROW];
  w.masked = t[H_MASK_END] > t[H_MASK];
  w.memory = memory;
  w.allVisible = 0;
  w.mask = VISIBLE;
  if (w.blocks < 0) { // one visit of all segments
    w.segment = w.visit;
    w.segments = w.visits;
    w.visit = w.visits;
  }
  return w;
}

// The next segment, or null.
inline global const long *next_segment(global const long *t, Walk *w) {
  while (1) {
    if (w->segment == w->segments) {
      if (w->visit == w->visits) return 0;
      long visit = t[w->visit++];
      w->segment = t[w->blocks + (visit >> 1)];
      w->segments = t[w->blocks + (visit >> 1) + 1];
      w->allVisible = visit & 1;
      continue;
    }
    global const long *segment = t + t[H_SEGMENTS] + w->segment++ * S_WORDS;
    if (segment[S_MEMORY] / MEMORIES != w->memory) continue;
    w->mask = VISIBLE;
    if (w->masked && !w->allVisible) {
      w->mask = mask_of_range(
          t, w->sequence, w->lowestQuery, w->highestQuery, segment[S_LOWEST], segment[S_HIGHEST]);
    }
    if (w->mask != HIDDEN) return segment;
  }
}
