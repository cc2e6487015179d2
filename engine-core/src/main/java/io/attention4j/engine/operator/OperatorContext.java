package io.attention4j.engine.operator;

import io.attention4j.engine.runtime.KernelSelector;

/**
 * What an operator may use.
 *
 * @param kernels chooses kernels; its device owns all tensors
 * @param caches makes the KV caches of this layer's sequences
 * @param weights the model's weights, by name
 * @param files weights beside the model, by path
 * @param operators opens other operators by option, for those that compose them
 */
public record OperatorContext(
    KernelSelector kernels,
    KvCache.Factory caches,
    WeightSource weights,
    WeightFiles files,
    Operators operators) {
  /** A context without files of weights. */
  public OperatorContext(
      KernelSelector kernels, KvCache.Factory caches, WeightSource weights, Operators operators) {
    this(kernels, caches, weights, WeightFiles.NONE, operators);
  }
}
