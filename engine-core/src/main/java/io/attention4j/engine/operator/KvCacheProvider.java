package io.attention4j.engine.operator;

import io.attention4j.engine.runtime.KernelSelector;
import java.util.Set;

/** Makes KV-cache factories by option ({@code policy+codec+tier}); found by ServiceLoader. */
public interface KvCacheProvider {
  /** Every name that may stand in the option, for messages. */
  Set<String> names();

  /**
   * A factory for an option such as {@code sink-window:tokens=1024+q8}.
   *
   * @throws IllegalArgumentException if a name or setting is unknown or a pair has no meaning
   */
  KvCache.Factory create(String option, KvCacheContext context);

  /** The same for a single layer, without a model. */
  default KvCache.Factory create(String option, KernelSelector kernels) {
    return create(option, KvCacheContext.of(kernels));
  }
}
