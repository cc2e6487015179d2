package io.attention4j.llm.safetensors;

import io.attention4j.engine.tensor.Shape;

/**
 * A tensor of a header.
 *
 * @param begin first byte in the data section
 * @param end byte after the last
 */
record SafetensorsTensorInfo(SafetensorsType type, Shape shape, long begin, long end) {}
