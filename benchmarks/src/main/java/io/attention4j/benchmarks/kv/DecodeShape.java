package io.attention4j.benchmarks.kv;

/**
 * The attention layers of a model that decodes.
 *
 * @param keys tokens in the cache
 */
public record DecodeShape(int layers, int queryHeads, int kvHeads, int headDim, int keys) {}
