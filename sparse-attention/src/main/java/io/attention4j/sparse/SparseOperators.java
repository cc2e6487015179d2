package io.attention4j.sparse;

import io.attention4j.engine.operator.AttentionOperator;
import io.attention4j.engine.operator.Needs;
import io.attention4j.engine.operator.OperatorProvider;
import io.attention4j.engine.operator.OptionSpec;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;

/** The operators of this module by option; {@code docs/operators.md} lists them. */
public final class SparseOperators implements OperatorProvider {
  private static final Set<Needs.Direction> CAUSAL = Set.of(Needs.Direction.CAUSAL);

  private static final Map<String, Function<OptionSpec, AttentionOperator>> OPERATORS =
      Map.ofEntries(
          Map.entry(
              Window.ID,
              option -> {
                Window window = Window.of(option);
                return new BlockSparseOperator(Window.ID, CAUSAL, shape -> window);
              }));

  /** For ServiceLoader. */
  public SparseOperators() {}

  @Override
  public Set<String> names() {
    return OPERATORS.keySet();
  }

  @Override
  public AttentionOperator create(OptionSpec option) {
    return OPERATORS.get(option.name()).apply(option);
  }
}
