package io.attention4j.engine.spi;

import io.attention4j.engine.tensor.DType;

/**
 * A weight matrix [outFeatures, inFeatures] of some type that multiplies F32 rows.
 *
 * @param weight type of the weight; rows are contiguous
 * @param outFeatures rows of the weight
 * @param inFeatures columns of the weight, a multiple of the block size
 */
public record MatmulSpec(DType weight, long outFeatures, long inFeatures) {}
