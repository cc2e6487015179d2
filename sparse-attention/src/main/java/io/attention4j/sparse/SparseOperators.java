package io.attention4j.sparse;

import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.operator.AttentionOperator;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.Needs;
import io.attention4j.engine.operator.OperatorProvider;
import io.attention4j.engine.operator.OptionSpec;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;

/** The operators of this module by option; {@code docs/operators.md} lists them. */
public final class SparseOperators implements OperatorProvider {
  private static final Set<Needs.Direction> CAUSAL = Set.of(Needs.Direction.CAUSAL);
  private static final Set<Needs.Direction> BOTH =
      Set.of(Needs.Direction.CAUSAL, Needs.Direction.BIDIRECTIONAL);

  private static final Map<String, Function<OptionSpec, AttentionOperator>> OPERATORS =
      Map.ofEntries(
          Map.entry(Window.ID, SparseOperators::window),
          Map.entry(SinkWindow.ID, SparseOperators::sinkWindow),
          Map.entry(Longformer.ID, SparseOperators::longformer),
          Map.entry(BigBird.ID, SparseOperators::bigBird),
          Map.entry(BlockTopK.ID, SparseOperators::blockTopK),
          Map.entry(PrFlash.ID, SparseOperators::prFlash),
          Map.entry(Combiner.ID, SparseOperators::combiner),
          Map.entry(Lsg.ID, SparseOperators::lsg),
          Map.entry(Nystrom.ID, SparseOperators::nystrom),
          Map.entry(
              AutoAttention.ID, option -> new AutoAttention(AutoAttention.Options.of(option))),
          Map.entry(
              HyperAttention.ID, option -> new HyperAttention(HyperAttention.Options.of(option))),
          Map.entry(
              RoutingAttention.ID,
              option -> new RoutingAttention(RoutingAttention.Options.of(option))),
          Map.entry(
              LandmarkAttention.ID,
              option -> new LandmarkAttention(LandmarkAttention.Options.of(option))),
          Map.entry(SeerAttention.ID, SparseOperators::seer),
          Map.entry(SeerDistill.ID, SparseOperators::seerDistill),
          Map.entry(SeerDecode.ID, SparseOperators::seerDecode),
          Map.entry(Nosa.ID, SparseOperators::nosa),
          Map.entry(Quest.ID, SparseOperators::quest),
          Map.entry(Act.ID, option -> new Act(Act.Options.of(option))));

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

  private static AttentionOperator window(OptionSpec option) {
    Window window = Window.of(option);
    return new BlockSparseOperator(Window.ID, CAUSAL, shape -> window);
  }

  private static AttentionOperator sinkWindow(OptionSpec option) {
    SinkWindow sinkWindow = SinkWindow.of(option);
    return new BlockSparseOperator(SinkWindow.ID, CAUSAL, shape -> sinkWindow);
  }

  private static AttentionOperator longformer(OptionSpec option) {
    Longformer longformer = Longformer.of(option);
    return new BlockSparseOperator(
        Longformer.ID, BOTH, shape -> longformer.in(bidirectional(shape)));
  }

  private static AttentionOperator bigBird(OptionSpec option) {
    BigBird bigBird = BigBird.of(option);
    return new BlockSparseOperator(
        BigBird.ID, BOTH, shape -> bigBird.in(shape.layer(), bidirectional(shape)));
  }

  private static AttentionOperator blockTopK(OptionSpec option) {
    BlockTopK.Options options = BlockTopK.Options.of(option);
    return new BlockSparseOperator(BlockTopK.ID, CAUSAL, shape -> new BlockTopK(options, shape));
  }

  private static AttentionOperator quest(OptionSpec option) {
    Quest.Options options = Quest.Options.of(option);
    return new BlockSparseOperator(
        Quest.ID,
        CAUSAL,
        (shape, context) -> new Quest(options, shape, context.kernels().device().workers()));
  }

  private static AttentionOperator prFlash(OptionSpec option) {
    PrFlash.Options options = PrFlash.Options.of(option);
    return new BlockSparseOperator(PrFlash.ID, BOTH, shape -> new PrFlash(options, shape));
  }

  private static AttentionOperator combiner(OptionSpec option) {
    Combiner.Options options = Combiner.Options.of(option);
    return new RegionOperator(Combiner.ID, BOTH, shape -> Combiner.method(options, shape));
  }

  private static AttentionOperator lsg(OptionSpec option) {
    Lsg.Options options = Lsg.Options.of(option);
    return new RegionOperator(Lsg.ID, BOTH, shape -> new Lsg(options, shape));
  }

  private static AttentionOperator nystrom(OptionSpec option) {
    Nystrom.Options options = Nystrom.Options.of(option);
    return new RegionOperator(
        Nystrom.ID, Set.of(Needs.Direction.BIDIRECTIONAL), shape -> new Nystrom(options, shape));
  }

  private static AttentionOperator seer(OptionSpec option) {
    SeerAttention.Options options = SeerAttention.Options.of(option);
    return new BlockSparseOperator(
        SeerAttention.ID, CAUSAL, (shape, context) -> new SeerAttention(options, shape, context));
  }

  private static AttentionOperator seerDecode(OptionSpec option) {
    SeerDecode.Options options = SeerDecode.Options.of(option);
    return new BlockSparseOperator(
        SeerDecode.ID, CAUSAL, (shape, context) -> new SeerDecode(options, shape, context));
  }

  private static AttentionOperator seerDistill(OptionSpec option) {
    SeerDistill.Options options = SeerDistill.Options.of(option);
    return new BlockSparseOperator(
        SeerDistill.ID, CAUSAL, (shape, context) -> new SeerDistill(options, shape, context));
  }

  private static AttentionOperator nosa(OptionSpec option) {
    Nosa.Options options = Nosa.Options.of(option);
    return new BlockSparseOperator(
        Nosa.ID, CAUSAL, (shape, context) -> new Nosa(options, shape, context));
  }

  private static boolean bidirectional(LayerShape shape) {
    return shape.mask() instanceof Mask.All;
  }
}
