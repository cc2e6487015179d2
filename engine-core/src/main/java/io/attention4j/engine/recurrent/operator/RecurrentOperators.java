package io.attention4j.engine.recurrent.operator;

import io.attention4j.engine.operator.AttentionOperator;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.OperatorProvider;
import io.attention4j.engine.operator.OptionSpec;
import io.attention4j.engine.recurrent.layer.ApproximateLayer;
import io.attention4j.engine.recurrent.layer.AttentionWeights;
import io.attention4j.engine.recurrent.layer.FixedMapLayer;
import io.attention4j.engine.recurrent.layer.LayerWeights;
import io.attention4j.engine.recurrent.layer.MirasLayer;
import io.attention4j.engine.recurrent.layer.SoftmaxLayer;
import io.attention4j.engine.recurrent.layer.TitansLayer;
import io.attention4j.engine.recurrent.layer.TitansSettings;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Stream;

/** Recurrences, memories and layers by option; {@code docs/operators.md} lists them. */
public final class RecurrentOperators implements OperatorProvider {
  private static final int MOST = 1 << 20;

  private static final Map<String, Function<OptionSpec, AttentionOperator>> OPERATORS =
      Map.ofEntries(
          scan("linear", ScanRule.Kind.LINEAR),
          scan("retnet", ScanRule.Kind.RETNET),
          scan("gla", ScanRule.Kind.GLA),
          scan("mamba2", ScanRule.Kind.MAMBA2),
          scan("deltanet", ScanRule.Kind.DELTANET),
          scan("gdn", ScanRule.Kind.GDN),
          scan("kda", ScanRule.Kind.KDA),
          scan("rwkv7", ScanRule.Kind.RWKV7),
          scan("based", ScanRule.Kind.BASED),
          prefix("aaren", PrefixOperator.Kind.AAREN),
          prefix("non-approximate", PrefixOperator.Kind.NON_APPROXIMATE),
          prefix("lama", PrefixOperator.Kind.LAMA),
          titans("titans.lmm", TitansLayer.Kind.LMM),
          titans("titans.mac", TitansLayer.Kind.MAC),
          titans("titans.mag", TitansLayer.Kind.MAG),
          titans("titans.mal", TitansLayer.Kind.MAL),
          miras("miras.moneta", MirasLayer.Kind.MONETA),
          miras("miras.yaad", MirasLayer.Kind.YAAD),
          miras("miras.memora", MirasLayer.Kind.MEMORA),
          Map.entry("s6", RecurrentOperators::s6),
          Map.entry("qlstm", RecurrentOperators::quasiLstm),
          Map.entry("metamixer", RecurrentOperators::metaMixer),
          Map.entry("mlp", RecurrentOperators::mlp),
          Map.entry("approximate", RecurrentOperators::approximate),
          Map.entry("static-embeddings", RecurrentOperators::staticEmbeddings),
          Map.entry("random-embeddings", RecurrentOperators::randomEmbeddings),
          Map.entry("fixed-sequence", RecurrentOperators::fixedSequence));

  /** For ServiceLoader. */
  public RecurrentOperators() {}

  @Override
  public Set<String> names() {
    return OPERATORS.keySet();
  }

  @Override
  public AttentionOperator create(OptionSpec option) {
    return OPERATORS.get(option.name()).apply(option);
  }

  private static Map.Entry<String, Function<OptionSpec, AttentionOperator>> scan(
      String id, ScanRule.Kind kind) {
    boolean weightless =
        kind == ScanRule.Kind.LINEAR || kind == ScanRule.Kind.RETNET || kind == ScanRule.Kind.BASED;
    boolean ranked =
        kind == ScanRule.Kind.GLA || kind == ScanRule.Kind.KDA || kind == ScanRule.Kind.RWKV7;
    return Map.entry(
        id,
        option -> {
          if (weightless) {
            option.allow();
          } else if (ranked) {
            allow(option, "rank");
          } else {
            allow(option);
          }
          int rank = option.integer("rank", 16, 1, MOST);
          return new ScanOperator(id, OperatorWeights.of(option), rank, kind);
        });
  }

  private static Map.Entry<String, Function<OptionSpec, AttentionOperator>> prefix(
      String id, PrefixOperator.Kind kind) {
    return Map.entry(
        id,
        option -> {
          if (kind == PrefixOperator.Kind.NON_APPROXIMATE) {
            option.allow();
          } else {
            allow(option);
          }
          return new PrefixOperator(id, OperatorWeights.of(option), kind);
        });
  }

  private static Map.Entry<String, Function<OptionSpec, AttentionOperator>> titans(
      String id, TitansLayer.Kind kind) {
    return Map.entry(
        id,
        option -> {
          allow(option, "chunk", "depth", "expansion", "step", "persistent", "window");
          int chunk = option.integer("chunk", 16, 1, MOST);
          int depth = option.integer("depth", 2, 1, 16);
          int expansion = option.integer("expansion", 4, 1, 64);
          double step = option.number("step", 0.1, 1e-9, 1e3);
          int persistent = option.integer("persistent", 0, 0, MOST);
          int window = option.integer("window", 64, 1, MOST);
          return rows(
              option,
              (shape, weights, kernels) ->
                  new TitansRows(
                      id,
                      kind,
                      new TitansSettings(
                          shape.modelDim(),
                          shape.queryHeads(),
                          depth,
                          expansion,
                          true,
                          chunk,
                          step,
                          persistent,
                          window),
                      weights,
                      kernels));
        });
  }

  private static Map.Entry<String, Function<OptionSpec, AttentionOperator>> miras(
      String id, MirasLayer.Kind kind) {
    return Map.entry(
        id,
        option -> {
          allow(option, "chunk", "rank");
          int chunk = option.integer("chunk", 16, 1, MOST);
          int rank = option.integer("rank", 32, 1, MOST);
          return rows(
              option,
              (shape, weights, kernels) ->
                  new MirasRows(id, kind, shape, rank, chunk, weights, kernels));
        });
  }

  private static AttentionOperator s6(OptionSpec option) {
    allow(option);
    return rows(
        option,
        (shape, weights, kernels) -> new SelectiveRows(option.name(), shape, weights, kernels));
  }

  private static AttentionOperator quasiLstm(OptionSpec option) {
    allow(option);
    return rows(
        option,
        (shape, weights, kernels) ->
            new QuasiLstmRows(option.name(), shape.modelDim(), weights, kernels));
  }

  private static AttentionOperator metaMixer(OptionSpec option) {
    allow(option, "keys", "values");
    int keys = option.integer("keys", 7, 1, 1024);
    int values = option.integer("values", 3, 1, 1024);
    return rows(
        option,
        (shape, weights, kernels) ->
            new MetaMixerRows(option.name(), shape.modelDim(), keys, values, weights, kernels));
  }

  private static AttentionOperator mlp(OptionSpec option) {
    allow(option, "hidden");
    int hidden = option.integer("hidden", 0, 0, MOST);
    return rows(
        option,
        (shape, weights, kernels) ->
            new MlpRows(
                option.name(),
                shape.modelDim(),
                hidden == 0 ? shape.modelDim() : hidden,
                weights,
                kernels));
  }

  private static AttentionOperator approximate(OptionSpec option) {
    allow(option, "denominator");
    String text = option.text("denominator", "common");
    ApproximateLayer.Denominator denominator =
        switch (text) {
          case "common" -> ApproximateLayer.Denominator.COMMON;
          case "per-order" -> ApproximateLayer.Denominator.PER_ORDER;
          default ->
              throw new IllegalArgumentException(
                  "'approximate' setting denominator=" + text + " is neither common nor per-order");
        };
    return rows(
        option,
        (shape, weights, kernels) ->
            new ApproximateRows(option.name(), shape, denominator, weights, kernels));
  }

  private static AttentionWeights attention(LayerShape shape, LayerWeights weights) {
    return AttentionWeights.load(weights, shape.modelDim(), shape.queryHeads());
  }

  private static AttentionOperator staticEmbeddings(OptionSpec option) {
    allow(option);
    return new SequenceOperator(
        option.name(),
        OperatorWeights.of(option),
        (shape, weights) ->
            new SoftmaxLayer(
                attention(shape, weights), SoftmaxLayer.Source.EMBEDDINGS, Integer.MAX_VALUE),
        true);
  }

  /** The map of a random sequence, drawn from the seed if the weights are. */
  private static AttentionOperator randomEmbeddings(OptionSpec option) {
    allow(option, "tokens");
    return fixedMap(option);
  }

  /** The map of one text, which no seed can make up. */
  private static AttentionOperator fixedSequence(OptionSpec option) {
    option.allow("weights", "tokens");
    return fixedMap(option);
  }

  private static AttentionOperator fixedMap(OptionSpec option) {
    int tokens = option.integer("tokens", 512, 1, 1 << 14);
    return layer(
        option,
        (shape, weights) ->
            new FixedMapLayer(
                attention(shape, weights), weights.rows("fixed", tokens, shape.modelDim())));
  }

  private static AttentionOperator layer(OptionSpec option, SequenceOperator.Factory factory) {
    return new SequenceOperator(option.name(), OperatorWeights.of(option), factory, false);
  }

  private static AttentionOperator rows(OptionSpec option, RowOperator.Factory factory) {
    return new RowOperator(option.name(), OperatorWeights.of(option), factory);
  }

  private static void allow(OptionSpec option, String... own) {
    option.allow(
        Stream.concat(Stream.of("weights", "seed"), Arrays.stream(own)).toArray(String[]::new));
  }
}
