package io.attention4j.engine.operator;

import io.attention4j.engine.runtime.KernelSelector;
import java.nio.file.Path;

/**
 * What a KV cache may know of the model around it.
 *
 * @param kernels chooses kernels; its device owns all tensors
 * @param layers layers of the model; policies that share a budget among layers divide by it
 * @param model the model's file or folder, beside which head lists are looked for; null for none
 */
public record KvCacheContext(KernelSelector kernels, int layers, Path model) {
  /** Checks the number of layers. */
  public KvCacheContext {
    if (layers < 1) {
      throw new IllegalArgumentException("a model has at least 1 layer, not " + layers);
    }
  }

  /** A single layer without a file. */
  public static KvCacheContext of(KernelSelector kernels) {
    return new KvCacheContext(kernels, 1, null);
  }
}
