package io.attention4j.chat.template;

import java.util.List;

/** What a tag says, parsed. Tags that say nothing have {@link Bare}. */
sealed interface Statement {
  /** else, end tags, break, continue, generation. */
  record Bare() implements Statement {}

  /** if and elif. */
  record Condition(Expression condition) implements Statement {}

  /** {@code filter} may be null. */
  record For(List<Target> targets, boolean unpacks, Expression iterable, Expression filter)
      implements Statement {}

  record Set(List<Target> targets, boolean unpacks, Expression value) implements Statement {}

  /** A set block; {@code filter} may be null. */
  record SetBlock(Target target, Expression filter) implements Statement {}

  record Macro(String name, Parameters parameters) implements Statement {}

  record CallBlock(Parameters parameters, Expression.Call call) implements Statement {}

  record FilterBlock(Expression filter) implements Statement {}

  record With(List<Target> targets, List<Expression> values) implements Statement {}

  /**
   * What a value is assigned to.
   *
   * @param attribute of a namespace, or null for a variable
   */
  record Target(String name, String attribute) {}

  /** Names, and for each its default or null. */
  record Parameters(List<String> names, List<Expression> defaults) {
    static final Parameters NONE = new Parameters(List.of(), List.of());
  }
}
