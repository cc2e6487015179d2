// out[r] = table[ids[r]], or table[first + r] where there is no list of ids, after weights.cl; an item
// decodes sixteen elements.
kernel void embed(
    global const uchar *table, long firstByte, long rowBytes, int dim, global const long *ids,
    int listed, int first, global float *out, long outAt) {
  int k = 16 * get_global_id(0);
  long r = get_global_id(1);
  float w[16];
  int n = min(16, dim - k);
  long id = listed ? ids[r] : first + r;
  global const uchar *row = table + firstByte + id * rowBytes;
  decode16(row, row, k, n, w);
  for (int j = 0; j < n; j++) out[outAt + r * dim + k + j] = w[j];
}
