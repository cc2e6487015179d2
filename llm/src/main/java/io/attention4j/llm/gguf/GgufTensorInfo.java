package io.attention4j.llm.gguf;

import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Shape;

/**
 * Where a tensor lies.
 *
 * @param dtype element type
 * @param shape extents, outermost first (the reverse of ggml's ne)
 * @param offset first byte: in a file while it is parsed relative to the data section, afterwards
 *     to the file
 */
record GgufTensorInfo(DType dtype, Shape shape, long offset) {
  long bytes() {
    return dtype.bytes(shape.elements());
  }
}
