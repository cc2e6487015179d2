package io.attention4j.engine.operator;

import java.util.Set;

/** Makes operators by name; found by ServiceLoader. */
public interface OperatorProvider {
  /** Names this provider knows, for messages and for look-up. */
  Set<String> names();

  /**
   * An operator with these settings.
   *
   * @throws IllegalArgumentException if a setting is unknown or out of range; names value, bound
   *     and remedy
   */
  AttentionOperator create(OptionSpec option);
}
