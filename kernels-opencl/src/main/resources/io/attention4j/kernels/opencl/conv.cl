// Depthwise causal convolution, see CausalConvKernel. Items: (channel, row).

inline float input_at(
    global const float *x, global const float *state, int channels, int taps, int c, long t) {
  return t < 0 ? state[(long)c * (taps - 1) + taps - 1 + t] : x[t * channels + c];
}

kernel void convolve(
    int channels, int taps, global const float *x, long xAt, global const float *weight,
    long weightAt, global const float *bias, long biasAt, int hasBias, global const float *state,
    long stateAt, global float *out, long outAt) {
  int c = get_global_id(0);
  long t = get_global_id(1);
  float y = hasBias ? bias[biasAt + c] : 0.0f;
  for (int i = 0; i < taps; i++) {
    float w = weight[weightAt + (long)c * taps + i];
    y = fma(w, input_at(x + xAt, state + stateAt, channels, taps, c, t - (taps - 1) + i), y);
  }
  out[outAt + t * channels + c] = y;
}

// After all rows: the last inputs become the state. Items: channels.
kernel void keep(
    int channels, int taps, int rows, global const float *x, long xAt, global float *state,
    long stateAt) {
  int c = get_global_id(0);
  // Ascending, so that a slot is read before it is overwritten.
  for (int i = 0; i < taps - 1; i++) {
    float y = input_at(x + xAt, state + stateAt, channels, taps, c, (long)rows - (taps - 1) + i);
    state[stateAt + (long)c * (taps - 1) + i] = y;
  }
}
