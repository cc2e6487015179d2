package io.attention4j.engine.attention;

import java.util.List;
import java.util.Objects;

/**
 * What a model fixes about an attention layer. For query head h (reading KV head h / (queryHeads /
 * kvHeads)), row i and visible key j:
 *
 * <pre>
 * x(i,j)  = scale * q_i . k_j, changed by the modifiers in order, plus the slot's bias
 * weight  = normalizer over the visible keys (softmax: plus exp(sink_h) in the denominator)
 * out_i   = sum_j weight(i,j) v_j;   lse_i = ln sum_j exp x(i,j) (natural log)
 * </pre>
 *
 * A row without a visible key gives out = 0 and lse = -inf (or the sink's logit), never NaN. A
 * score of -inf hides the key: its weight is 0 whatever the normaliser.
 *
 * @param queryHeads query heads, a multiple of kvHeads
 * @param kvHeads KV heads
 * @param headDim elements of a query and a key
 * @param valueDim elements of a value; may differ from headDim
 * @param scale factor of q . k; {@link Builder} defaults to 1 / sqrt(headDim)
 * @param normalizer softmax, sigmoid or none
 * @param mask visible keys
 * @param modifiers score modifiers, applied in order
 * @param sinks one extra logit per query head with value 0 (gpt-oss style), or empty. A sink counts
 *     in the denominator and in lse. Partial results that will be merged must be computed without
 *     it and {@link OnlineSoftmax} adds it once, at the end
 * @param keyFormat how keys are stored
 * @param valueFormat how values are stored
 * @param selection which selection each layer gives
 */
public record AttentionSpec(
    int queryHeads,
    int kvHeads,
    int headDim,
    int valueDim,
    float scale,
    Normalizer normalizer,
    Mask mask,
    List<ScoreModifier> modifiers,
    List<Float> sinks,
    KvFormat keyFormat,
    KvFormat valueFormat,
    SelectionKind selection) {

  /** What {@link AttentionInputs#selection} will be. */
  public enum SelectionKind {
    /** Every key, subject to the mask. */
    NONE,
    /** A {@link BlockMask}. */
    BLOCKS,
    /** {@link GatheredKeys}. */
    GATHERED
  }

  /** Checks every field. */
  public AttentionSpec {
    if (kvHeads < 1 || queryHeads < 1 || queryHeads % kvHeads != 0) {
      throw new IllegalArgumentException(
          "queryHeads " + queryHeads + " must be a positive multiple of kvHeads " + kvHeads);
    }
    if (headDim < 1 || valueDim < 1) {
      throw new IllegalArgumentException(
          "headDim " + headDim + " and valueDim " + valueDim + " must be at least 1");
    }
    if (!Float.isFinite(scale)) {
      throw new IllegalArgumentException("scale " + scale + " must be finite");
    }
    Objects.requireNonNull(normalizer, "normalizer");
    Objects.requireNonNull(mask, "mask");
    Objects.requireNonNull(keyFormat, "keyFormat");
    Objects.requireNonNull(valueFormat, "valueFormat");
    Objects.requireNonNull(selection, "selection");
    modifiers = List.copyOf(modifiers);
    sinks = List.copyOf(sinks);
    if (!sinks.isEmpty()
        && (sinks.size() != queryHeads || !(normalizer instanceof Normalizer.Softmax))) {
      throw new IllegalArgumentException(
          sinks.size()
              + " sinks: give one per query head ("
              + queryHeads
              + ") and softmax, or none");
    }
    for (ScoreModifier modifier : modifiers) {
      if (modifier instanceof ScoreModifier.Alibi alibi && alibi.slopes().size() != queryHeads) {
        throw new IllegalArgumentException(
            alibi.slopes().size() + " ALiBi slopes do not match " + queryHeads + " query heads");
      }
    }
  }

  /** Query heads per KV head. */
  public int groupSize() {
    return queryHeads / kvHeads;
  }

  /** Starts from MHA/GQA softmax, causal, F32 cache, scale 1 / sqrt(headDim), no selection. */
  public static Builder builder(int queryHeads, int kvHeads, int headDim) {
    return new Builder(queryHeads, kvHeads, headDim);
  }

  /** Names the fields of a spec. Not thread-safe. */
  public static final class Builder {
    private final int queryHeads;
    private final int kvHeads;
    private final int headDim;
    private int valueDim;
    private float scale;
    private Normalizer normalizer = new Normalizer.Softmax();
    private Mask mask = new Mask.Causal();
    private List<ScoreModifier> modifiers = List.of();
    private List<Float> sinks = List.of();
    private KvFormat keyFormat = KvFormat.F32;
    private KvFormat valueFormat = KvFormat.F32;
    private SelectionKind selection = SelectionKind.NONE;

    private Builder(int queryHeads, int kvHeads, int headDim) {
      this.queryHeads = queryHeads;
      this.kvHeads = kvHeads;
      this.headDim = headDim;
      this.valueDim = headDim;
      this.scale = (float) (1 / Math.sqrt(headDim));
    }

    /** Sets the elements of a value. */
    public Builder valueDim(int elements) {
      valueDim = elements;
      return this;
    }

    /** Sets the factor of q . k. */
    public Builder scale(float factor) {
      scale = factor;
      return this;
    }

    /** Sets the normaliser. */
    public Builder normalizer(Normalizer rule) {
      normalizer = rule;
      return this;
    }

    /** Sets the mask. */
    public Builder mask(Mask rule) {
      mask = rule;
      return this;
    }

    /** Sets the score modifiers, in order. */
    public Builder modifiers(ScoreModifier... rules) {
      modifiers = List.of(rules);
      return this;
    }

    /** Sets one sink logit per query head. */
    public Builder sinks(List<Float> logits) {
      sinks = logits;
      return this;
    }

    /** Sets how keys and values are stored. */
    public Builder formats(KvFormat keys, KvFormat values) {
      keyFormat = keys;
      valueFormat = values;
      return this;
    }

    /** Sets the kind of selection. */
    public Builder selection(SelectionKind kind) {
      selection = kind;
      return this;
    }

    /** The spec; throws {@link IllegalArgumentException} as its constructor does. */
    public AttentionSpec build() {
      return new AttentionSpec(
          queryHeads,
          kvHeads,
          headDim,
          valueDim,
          scale,
          normalizer,
          mask,
          modifiers,
          sinks,
          keyFormat,
          valueFormat,
          selection);
    }
  }
}
