package io.attention4j.engine.operator;

import java.util.ServiceLoader;
import java.util.Set;
import java.util.TreeSet;

/**
 * Finds operators by name over all providers; {@code softmax} and {@code sigmoid} are always there.
 */
public final class Operators {
  /** Looks providers up on each call. */
  public Operators() {}

  /** Names that {@link #create} knows, sorted. */
  public Set<String> names() {
    Set<String> names = new TreeSet<>();
    names.add(SoftmaxOperator.ID);
    names.add(SoftmaxOperator.SIGMOID_ID);
    ServiceLoader.load(OperatorProvider.class).forEach(provider -> names.addAll(provider.names()));
    return names;
  }

  /**
   * The operator that an option names.
   *
   * @throws IllegalArgumentException if the name is unknown (lists the known ones) or a setting is
   *     bad
   */
  public AttentionOperator create(OptionSpec option) {
    if (option.name().equals(SoftmaxOperator.ID)) {
      option.allow();
      return new SoftmaxOperator();
    }
    if (option.name().equals(SoftmaxOperator.SIGMOID_ID)) {
      option.allow("bias");
      return SoftmaxOperator.sigmoid((float) option.number("bias", 0, -1e4, 1e4));
    }
    for (OperatorProvider provider : ServiceLoader.load(OperatorProvider.class)) {
      if (provider.names().contains(option.name())) {
        return provider.create(option);
      }
    }
    throw new IllegalArgumentException(
        "unknown attention '" + option.name() + "'; known are " + names());
  }
}
