package io.attention4j.llm.decoder;

import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.runtime.KernelSelector;

/**
 * The first layers of a model whose others are on a device that has no room for all.
 *
 * @param count layers, from 1 to all but one; 0 layers are written as null
 * @param kernels what runs them, on host memory
 * @param caches their KV caches
 */
public record HostLayers(int count, KernelSelector kernels, KvCache.Factory caches) {}
