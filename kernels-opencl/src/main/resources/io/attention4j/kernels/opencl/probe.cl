// What a device allows: multiply-adds on registers, and a copy of sixteen bytes an item at a time.

kernel __attribute__((reqd_work_group_size(64, 1, 1))) void multiply_add(
    int rounds, float factor, global float *out) {
  // Eight chains of four lanes: enough for any unit's latency.
  float4 a0 = (float4)(get_global_id(0)), a1 = a0 + 1.0f, a2 = a0 + 2.0f, a3 = a0 + 3.0f;
  float4 a4 = a0 + 4.0f, a5 = a0 + 5.0f, a6 = a0 + 6.0f, a7 = a0 + 7.0f;
  for (int i = 0; i < rounds; i++) {
    a0 = fma(a0, factor, a1);
    a1 = fma(a1, factor, a2);
    a2 = fma(a2, factor, a3);
    a3 = fma(a3, factor, a4);
    a4 = fma(a4, factor, a5);
    a5 = fma(a5, factor, a6);
    a6 = fma(a6, factor, a7);
    a7 = fma(a7, factor, a0);
  }
  float4 sum = a0 + a1 + a2 + a3 + a4 + a5 + a6 + a7;
  out[get_global_id(0)] = sum.x + sum.y + sum.z + sum.w;
}

kernel __attribute__((reqd_work_group_size(64, 1, 1))) void copy(
    global const float4 *from, global float4 *to) {
  to[get_global_id(0)] = from[get_global_id(0)];
}
