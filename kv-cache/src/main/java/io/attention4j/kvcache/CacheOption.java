package io.attention4j.kvcache;

import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.operator.OptionSpec;
import io.attention4j.kvcache.policy.Policies;
import java.util.EnumMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * A parsed cache option: parts joined by "+", in any order, each optional, at most one of a kind.
 * The name tells the kind. A value cannot contain a "+".
 *
 * @param parts what was given
 */
record CacheOption(Map<Kind, OptionSpec> parts) {
  /** Names of codecs with how they store keys and values. */
  static final Map<String, KvFormat> CODECS =
      Map.of(
          "f32", KvFormat.F32,
          "f16", KvFormat.F16,
          "bf16", KvFormat.BF16,
          "q8", KvFormat.Q8,
          "q4", KvFormat.Q4);

  /** Tier: memory of the device. */
  static final String MEMORY = "memory";

  /** Tier: mapped files. */
  static final String FILE = "file";

  /** Tier: a file from which what a step reads is fetched. */
  static final String OFFLOAD = "offload";

  /** What a part decides. */
  enum Kind {
    /** How memory is cut. */
    LAYOUT("two layouts", Set.of("paged", "contiguous")),
    /** Which tokens each head keeps. */
    POLICY("two policies", policies()),
    /** How numbers are stored. */
    CODEC("two codecs", codecs()),
    /** Where they live. */
    TIER("two tiers", Set.of(MEMORY, FILE, OFFLOAD));

    private final String twice;
    private final Set<String> names;

    Kind(String twice, Set<String> names) {
      this.twice = twice;
      this.names = names;
    }

    private static Set<String> codecs() {
      Set<String> all = new TreeSet<>(CODECS.keySet());
      all.addAll(BitSchedule.NAMES);
      return all;
    }

    private static Set<String> policies() {
      Set<String> all = new TreeSet<>(Policies.names());
      all.add(Policies.FULL);
      all.addAll(Policies.OPERATORS);
      all.addAll(Policies.RANKERS);
      return all;
    }
  }

  /** Every name of every kind. */
  static Set<String> names() {
    Set<String> all = new TreeSet<>();
    for (Kind kind : Kind.values()) {
      all.addAll(kind.names);
    }
    return all;
  }

  /**
   * Parses an option.
   *
   * @throws IllegalArgumentException if a name is unknown or a kind is given twice
   */
  static CacheOption parse(String text) {
    Map<Kind, OptionSpec> parts = new EnumMap<>(Kind.class);
    for (String part : text.split("\\+", -1)) {
      OptionSpec spec = OptionSpec.parse(part);
      if (parts.put(kind(spec.name()), spec) != null) {
        throw new IllegalArgumentException(
            "KV cache '" + text + "' names " + kind(spec.name()).twice);
      }
    }
    return new CacheOption(parts);
  }

  private static Kind kind(String name) {
    for (Kind kind : Kind.values()) {
      if (kind.names.contains(name)) {
        return kind;
      }
    }
    throw new IllegalArgumentException(
        "unknown KV cache '" + name + "'; known are " + names() + ", joined by +");
  }

  /** The part of a kind, or one without settings. */
  OptionSpec part(Kind kind, String defaultName) {
    OptionSpec given = parts.get(kind);
    return given == null ? OptionSpec.parse(defaultName) : given;
  }
}
