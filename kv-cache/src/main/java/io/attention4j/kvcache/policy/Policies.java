package io.attention4j.kvcache.policy;

import io.attention4j.engine.operator.KvCacheContext;
import io.attention4j.engine.operator.OptionSpec;
import io.attention4j.engine.operator.TokenRanker;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.BiFunction;

/** The policies by name; {@code docs/kv-cache.md} lists them. */
public final class Policies {
  /** Drops nothing: the cache itself, without a policy. */
  public static final String FULL = "full";

  /** Methods that drop nothing and choose what to read: attention operators of the same name. */
  public static final Set<String> OPERATORS = Set.of("quest");

  /** Methods that shorten prompts and leave the cache alone. */
  public static final Set<String> RANKERS = Set.of(SpecPc.ID);

  private static final Map<String, BiFunction<OptionSpec, KvCacheContext, KvPolicy>> POLICIES =
      new TreeMap<>();

  static {
    POLICIES.put(SinkWindow.ID, (option, context) -> SinkWindow.of(option));
    POLICIES.put(SinkWindow.WINDOW, (option, context) -> SinkWindow.window(option));
    POLICIES.put(SnapKv.ID, (option, context) -> SnapKv.of(option));
    POLICIES.put(SnapKv.ADA, (option, context) -> SnapKv.ada(option));
    POLICIES.put(SnapKv.PYRAMID, (option, context) -> SnapKv.pyramid(option, context.layers()));
    POLICIES.put(Tova.ID, (option, context) -> Tova.of(option));
    POLICIES.put(H2o.ID, (option, context) -> H2o.of(option));
    POLICIES.put(ExpectedAttention.ID, (option, context) -> ExpectedAttention.of(option));
    POLICIES.put(Razor.ID, Razor::of);
    POLICIES.put(SpecKv.ID, (option, context) -> SpecKv.of(option));
    POLICIES.put(Duo.ID, (option, context) -> Duo.of(option));
  }

  private Policies() {}

  /** Names of the policies that drop tokens. */
  public static Set<String> names() {
    return POLICIES.keySet();
  }

  /**
   * The ranker that an option names, one of {@link #RANKERS}.
   *
   * @throws IllegalArgumentException if a setting is unknown or out of range
   */
  public static TokenRanker ranker(OptionSpec option) {
    return SpecPc.of(option);
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
