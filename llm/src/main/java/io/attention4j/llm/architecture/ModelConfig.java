package io.attention4j.llm.architecture;

import io.attention4j.engine.spi.ActivationKernel;
import io.attention4j.engine.spi.NormSpec;
import io.attention4j.engine.spi.RopeSpec;
import java.util.List;

/**
 * Everything the decoder needs to know of a model besides its weights.
 *
 * @param architecture id, as in GGUF's general.architecture
 * @param sizes dimensions
 * @param embedding where hidden states come from and logits go
 * @param norms normalisation
 * @param attention attention
 * @param feedForward feed-forward layers
 * @param recurrence what layers compute instead of attention, or null for a transformer
 */
public record ModelConfig(
    String architecture,
    Sizes sizes,
    Embedding embedding,
    Norms norms,
    Attention attention,
    FeedForward feedForward,
    Recurrence recurrence) {
  /** A transformer. */
  public ModelConfig(
      String architecture,
      Sizes sizes,
      Embedding embedding,
      Norms norms,
      Attention attention,
      FeedForward feedForward) {
    this(architecture, sizes, embedding, norms, attention, feedForward, null);
  }

  /** Whether layers have a state of constant size instead of a KV cache. */
  public boolean recurrent() {
    return recurrence != null;
  }

  /**
   * Layers with a state of constant size. The sizes' query and KV heads are then its heads, headDim
   * the rows and valueDim the columns of a head's state.
   */
  public sealed interface Recurrence {
    /**
     * RWKV-7 (Peng et al. 2025, arXiv 2503.14456): time mix and channel mix.
     *
     * @param headNormEpsilon of the norm over each head's output
     */
    record Rwkv7(float headNormEpsilon) implements Recurrence {}

    /**
     * Mamba-2 (Dao and Gu 2024, arXiv 2405.21060).
     *
     * @param groups groups of heads that share B and C
     * @param taps taps of the convolution before the recurrence
     */
    record Mamba2(int groups, int taps) implements Recurrence {}
  }

  /**
   * Dimensions.
   *
   * @param vocabulary rows of the token embedding
   * @param contextTokens longest context the model was trained for
   * @param modelDim elements of the hidden state
   * @param layers transformer blocks
   * @param queryHeads query heads per layer
   * @param kvHeads KV heads per layer
   * @param headDim elements of a query or key
   * @param valueDim elements of a value
   * @param feedForwardDim elements of the feed-forward layer
   */
  public record Sizes(
      int vocabulary,
      int contextTokens,
      int modelDim,
      int layers,
      int queryHeads,
      int kvHeads,
      int headDim,
      int valueDim,
      int feedForwardDim) {}

  /**
   * The two ends of the decoder.
   *
   * @param scale factor of the token embedding, 1 for none
   * @param learnedPositions whether a learned embedding of the position is added
   * @param tiedOutput whether the output matrix may be absent because it is the token embedding
   * @param logitSoftCap cap of the logits, 0 for none
   */
  public record Embedding(
      float scale, boolean learnedPositions, boolean tiedOutput, float logitSoftCap) {}

  /**
   * Normalisation.
   *
   * @param kind RMS or layer norm (which then has a bias)
   * @param epsilon added to the mean square or variance
   * @param weightOffset added to every weight, 1 for Gemma's Hugging Face files
   * @param afterBranches whether the results of attention and feed-forward are normalised before
   *     they join the residual
   */
  public record Norms(
      NormSpec.Kind kind, float epsilon, float weightOffset, boolean afterBranches) {}

  /**
   * Attention.
   *
   * @param scale factor of q . k
   * @param softCap cap of the scores, 0 for none
   * @param fusedQkv whether q, k and v are the rows of one matrix
   * @param biasedQkv whether q, k and v must have a bias
   * @param normedQk whether each head of q and k is normalised
   * @param ropes rotations that layers choose from; empty where positions are learned
   * @param layers what differs from layer to layer
   */
  public record Attention(
      float scale,
      float softCap,
      boolean fusedQkv,
      boolean biasedQkv,
      boolean normedQk,
      List<Rope> ropes,
      List<Layer> layers) {
    /** Copies the lists. */
    public Attention {
      ropes = List.copyOf(ropes);
      layers = List.copyOf(layers);
    }
  }

  /**
   * A rotation.
   *
   * @param spec which elements rotate
   * @param base base of the frequencies
   * @param scaling how they were stretched
   */
  public record Rope(RopeSpec spec, double base, RopeScaling scaling) {}

  /**
   * What one layer has of its own.
   *
   * @param windowTokens tokens that a row sees, itself included; 0 for all
   * @param rope index of its rotation, -1 for none
   */
  public record Layer(int windowTokens, int rope) {}

  /**
   * Feed-forward layer.
   *
   * @param activation non-linearity
   * @param gated whether it multiplies a second projection (SwiGLU, GeGLU)
   * @param fusedGateUp whether gate and up are the rows of one matrix, gate first
   */
  public record FeedForward(
      ActivationKernel.Function activation, boolean gated, boolean fusedGateUp) {}
}
