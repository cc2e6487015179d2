package io.attention4j.llm.loading;

import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.KvCacheContext;
import io.attention4j.engine.operator.KvCacheProvider;
import io.attention4j.engine.operator.OptionSpec;
import java.util.ServiceLoader;
import java.util.Set;
import java.util.TreeSet;

/** Finds the provider that knows every name of a KV-cache option. */
public final class CacheFactories {
  private CacheFactories() {}

  /**
   * The factory of an option such as {@code paged:page=64+f16}.
   *
   * @throws IllegalArgumentException if a name is unknown; lists the known ones
   */
  public static KvCache.Factory create(String option, KvCacheContext context) {
    Set<String> wanted = new TreeSet<>();
    for (String part : option.split("\\+", -1)) {
      wanted.add(OptionSpec.parse(part).name());
    }
    Set<String> known = new TreeSet<>();
    for (KvCacheProvider provider : ServiceLoader.load(KvCacheProvider.class)) {
      if (provider.names().containsAll(wanted)) {
        return provider.create(option, context);
      }
      known.addAll(provider.names());
    }
    wanted.removeAll(known);
    throw new IllegalArgumentException(
        wanted.isEmpty()
            ? "no KV cache takes all parts of '" + option + "' together"
            : "unknown KV cache "
                + wanted
                + " in '"
                + option
                + "'; known are "
                + known
                + ", joined by +");
  }
}
