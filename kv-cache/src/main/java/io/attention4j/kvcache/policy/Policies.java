package io.attention4j.kvcache.policy;

import io.attention4j.engine.operator.KvCacheContext;
import io.attention4j.engine.operator.OptionSpec;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.BiFunction;

/** The policies by name; {@code docs/kv-cache.md} lists them. */
public final class Policies {
  /** Drops nothing: the cache itself, without a policy. */
  public static final String FULL = "full";

  private static final Map<String, BiFunction<OptionSpec, KvCacheContext, KvPolicy>> POLICIES =
      new TreeMap<>(
          Map.of(
              SinkWindow.ID, (option, context) -> SinkWindow.of(option),
              SinkWindow.WINDOW, (option, context) -> SinkWindow.window(option)));

  private Policies() {}

  /** All names but {@link #FULL}. */
  public static Set<String> names() {
    return POLICIES.keySet();
  }

  /**
   * The policy that an option names, one of {@link #names}.
   *
   * @throws IllegalArgumentException if a setting is unknown or out of range
   */
  public static KvPolicy create(OptionSpec option, KvCacheContext context) {
    return POLICIES.get(option.name()).apply(option, context);
  }
}
