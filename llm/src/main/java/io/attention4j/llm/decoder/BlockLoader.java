package io.attention4j.llm.decoder;

import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.attention.ScoreModifier;
import io.attention4j.engine.operator.AttentionLayer;
import io.attention4j.engine.operator.AttentionOperator;
import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.Needs;
import io.attention4j.engine.operator.OperatorContext;
import io.attention4j.engine.operator.Operators;
import io.attention4j.engine.operator.OptionSpec;
import io.attention4j.engine.operator.RopeTable;
import io.attention4j.engine.operator.WeightFiles;
import io.attention4j.engine.operator.WeightSource;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.ActivationKernel;
import io.attention4j.engine.spi.ElementwiseKernel;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.architecture.ModelConfig;
import io.attention4j.llm.architecture.Weight;
import io.attention4j.llm.decoder.Linear.Product;
import io.attention4j.llm.loading.WeightLoader;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/** Binds the weights of a layer to kernels and activations. */
final class BlockLoader {
  private final ModelConfig config;
  private final ModelConfig.Sizes sizes;
  private final int contextTokens;
  private final WeightLoader weights;
  private final WeightFiles weightFiles;
  private final KernelSelector kernels;
  private final KvCache.Factory caches;
  private final Operators operators = new Operators();
  private final Activations activations;
  private final RopeAngles[] ropes;

  BlockLoader(
      ModelConfig config,
      int contextTokens,
      WeightLoader weights,
      WeightFiles weightFiles,
      KernelSelector kernels,
      KvCache.Factory caches,
      Activations activations,
      RopeAngles[] ropes) {
    this.config = config;
    this.sizes = config.sizes();
    this.contextTokens = contextTokens;
    this.weights = weights;
    this.weightFiles = weightFiles;
    this.kernels = kernels;
    this.caches = caches;
    this.activations = activations;
    this.ropes = ropes;
  }

  /** What the attention operator of a layer is told. */
  static LayerShape shape(ModelConfig config, int layer, int contextTokens) {
    ModelConfig.Sizes sizes = config.sizes();
    ModelConfig.Attention attention = config.attention();
    ModelConfig.Layer own = attention.layers().get(layer);
    return new LayerShape(
        layer,
        sizes.queryHeads(),
        sizes.kvHeads(),
        sizes.headDim(),
        sizes.valueDim(),
        attention.scale(),
        own.windowTokens() == 0 ? new Mask.Causal() : new Mask.Window(own.windowTokens() - 1L, 0),
        attention.softCap() == 0
            ? List.of()
            : List.of(new ScoreModifier.SoftCap(attention.softCap())),
        List.of(),
        own.rope() < 0 ? null : attention.ropes().get(own.rope()).spec(),
        contextTokens,
        sizes.modelDim());
  }

  /** Loads a layer; what was opened is closed if that fails. */
  TransformerBlock load(int layer, OptionSpec option) {
    List<AutoCloseable> opened = new ArrayList<>();
    boolean complete = false;
    try {
      TransformerBlock block =
          new TransformerBlock(
              attention(layer, option, opened),
              feedForward(layer, opened),
              kernels.select(ElementwiseKernel.class, ElementwiseKernel.Operation.ADD),
              activations);
      complete = true;
      return block;
    } finally {
      if (!complete) {
        Closing.all(opened);
      }
    }
  }

  private TransformerBlock.AttentionBranch attention(
      int layer, OptionSpec option, List<AutoCloseable> opened) {
    boolean normed = config.attention().normedQk();
    int rope = config.attention().layers().get(layer).rope();
    RopeTable table = rope < 0 ? null : ropes[rope].table();
    Linear queryKeyValue = keep(opened, Linear.of(kernels, queryKeyValue(layer)));
    OperatorContext context =
        new OperatorContext(kernels, caches, weights.ofLayer(layer), weightFiles, operators);
    AttentionOperator operator = operators.create(option);
    requireMet(operator, layer, context.weights());
    AttentionLayer attention =
        keep(opened, operator.open(shape(config, layer, contextTokens), context));
    long attended = (long) sizes.queryHeads() * sizes.valueDim();
    return new TransformerBlock.AttentionBranch(
        norm(Weight.ATTENTION_NORM, layer, sizes.modelDim()),
        queryKeyValue,
        normed ? norm(Weight.QUERY_NORM, layer, sizes.headDim()) : null,
        normed ? norm(Weight.KEY_NORM, layer, sizes.headDim()) : null,
        attention,
        table,
        keep(opened, branchOutput(Weight.ATTENTION_OUTPUT, layer, attended)),
        postNorm(Weight.POST_ATTENTION_NORM, layer));
  }

  /** Refuses an operator on a model that lacks what it computes with. */
  private static void requireMet(AttentionOperator operator, int layer, WeightSource source) {
    Needs needs = operator.needs();
    String lacks = null;
    if (!needs.directions().contains(Needs.Direction.CAUSAL)) {
      lacks = "a use other than causal decoding, for " + needs.directions();
    } else if (!Set.of(Needs.EMBEDDINGS).containsAll(needs.extras())) {
      lacks = "inputs that this decoder does not compute: " + new TreeSet<>(needs.extras());
    } else {
      for (String name : new TreeSet<>(needs.weights())) {
        if (source.weight(name).isEmpty()) {
          lacks = "the weight '" + name + "' in layer " + layer + ", which the model lacks";
          break;
        }
      }
    }
    if (lacks != null) {
      throw new IllegalArgumentException(
          "attention '" + operator.id() + "' needs " + lacks + "; choose another for this model");
    }
  }

  private Product[] queryKeyValue(int layer) {
    long modelDim = sizes.modelDim();
    long queries = (long) sizes.queryHeads() * sizes.headDim();
    long keys = (long) sizes.kvHeads() * sizes.headDim();
    long values = (long) sizes.kvHeads() * sizes.valueDim();
    Tensor q = Activations.flat(activations.q);
    Tensor k = Activations.flat(activations.k);
    Tensor v = Activations.flat(activations.v);
    boolean biased = config.attention().biasedQkv();
    if (config.attention().fusedQkv()) {
      long rows = queries + keys + values;
      Tensor weight = weights.matrix(Weight.QUERY_KEY_VALUE, layer, rows, modelDim);
      Tensor bias = bias(Weight.QUERY_KEY_VALUE, layer, rows, biased);
      return new Product[] {
        part(weight, bias, 0, queries, q),
        part(weight, bias, queries, keys, k),
        part(weight, bias, queries + keys, values, v)
      };
    }
    return new Product[] {
      product(Weight.QUERY, layer, queries, biased, q),
      product(Weight.KEY, layer, keys, biased, k),
      product(Weight.VALUE, layer, values, biased, v)
    };
  }

  private TransformerBlock.FeedForwardBranch feedForward(int layer, List<AutoCloseable> opened) {
    ActivationKernel.Function function = config.feedForward().activation();
    return new TransformerBlock.FeedForwardBranch(
        norm(Weight.FEED_FORWARD_NORM, layer, sizes.modelDim()),
        keep(opened, Linear.of(kernels, gateUp(layer))),
        kernels.select(ActivationKernel.class, function),
        function,
        keep(opened, branchOutput(Weight.DOWN, layer, sizes.feedForwardDim())),
        postNorm(Weight.POST_FEED_FORWARD_NORM, layer));
  }

  private Product[] gateUp(int layer) {
    long dim = sizes.feedForwardDim();
    if (config.feedForward().fusedGateUp()) {
      Tensor weight = weights.matrix(Weight.GATE_UP, layer, 2 * dim, sizes.modelDim());
      Tensor bias = bias(Weight.GATE_UP, layer, 2 * dim, false);
      return new Product[] {
        part(weight, bias, 0, dim, activations.gate), part(weight, bias, dim, dim, activations.up)
      };
    }
    Product up = product(Weight.UP, layer, dim, false, activations.up);
    return config.feedForward().gated()
        ? new Product[] {product(Weight.GATE, layer, dim, false, activations.gate), up}
        : new Product[] {up};
  }

  /** The last product of a branch writes to the residual, unless a norm comes between. */
  private Linear branchOutput(Weight role, int layer, long in) {
    Tensor weight = weights.matrix(role, layer, sizes.modelDim(), in);
    Tensor bias = bias(role, layer, sizes.modelDim(), false);
    Tensor target = config.norms().afterBranches() ? activations.branch : activations.residual;
    return Linear.of(kernels, new Product(weight, bias, target));
  }

  private Product product(Weight role, int layer, long out, boolean biased, Tensor output) {
    Tensor weight = weights.matrix(role, layer, out, sizes.modelDim());
    return new Product(weight, bias(role, layer, out, biased), output);
  }

  private static Product part(Tensor weight, Tensor bias, long from, long rows, Tensor output) {
    return new Product(
        weight.slice(0, from, rows), bias == null ? null : bias.slice(0, from, rows), output);
  }

  private Tensor bias(Weight role, int layer, long size, boolean required) {
    return required
        ? weights.requiredBias(role, layer, size)
        : weights.bias(role, layer, size).orElse(null);
  }

  private Norm norm(Weight role, int layer, int size) {
    return Norm.load(config.norms(), role, layer, size, weights, kernels);
  }

  private Norm postNorm(Weight role, int layer) {
    return config.norms().afterBranches() ? norm(role, layer, sizes.modelDim()) : null;
  }

  private static <T extends AutoCloseable> T keep(List<AutoCloseable> opened, T resource) {
    opened.add(resource);
    return resource;
  }
}
