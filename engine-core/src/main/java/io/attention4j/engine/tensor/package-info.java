/** Tensors: dtype, shape, strides and storage, and the GGML block formats. */
package io.attention4j.engine.tensor;
