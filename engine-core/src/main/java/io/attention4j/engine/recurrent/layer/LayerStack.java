package io.attention4j.engine.recurrent.layer;

import io.attention4j.engine.recurrent.Rows;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntPredicate;

/**
 * Layers of any kinds one after the other, each with its residual, h + layer(norm(h)).
 *
 * @param layers equally wide, at least one
 * @param normed whether each layer reads h / rms(h), without weights: those are the projections'
 */
public record LayerStack(List<SequenceLayer> layers, boolean normed) {
  private static final double EPSILON = 1e-6;

  /** Checks that the layers fit on each other. */
  public LayerStack {
    layers = List.copyOf(layers);
    if (layers.isEmpty()) {
      throw new IllegalArgumentException("a stack needs at least one layer");
    }
    for (SequenceLayer layer : layers) {
      if (layer.width() != layers.getFirst().width()) {
        throw new IllegalArgumentException(
            "layers of widths "
                + layers.stream().map(SequenceLayer::width).toList()
                + " do not stack; they must be equally wide");
      }
    }
  }

  /** States of an empty sequence, one per layer. */
  public List<SequenceState> newStates() {
    return layers.stream().map(SequenceLayer::newState).toList();
  }

  /**
   * Runs the next tokens of a sequence.
   *
   * @param embeddings [tokens, width]
   * @param states from {@link #newStates}; of all tokens on return
   * @return the last hidden state, [tokens, width]
   */
  public Rows run(Rows embeddings, List<SequenceState> states) {
    Rows hidden = embeddings;
    for (int l = 0; l < layers.size(); l++) {
      Rows y = layers.get(l).run(read(hidden), embeddings, states.get(l));
      hidden = sum(hidden, y);
    }
    return hidden;
  }

  /**
   * The same stack with the attention of some layers fixed to what it is on one sequence: RndEmbQK
   * where that is random, FixedSeqQK where it is a text. On that sequence itself both stacks are
   * the same, which is how "this network's own layers up to the same depth" are run.
   *
   * @param fixed which layers, from 0; they must be {@link SoftmaxLayer} without a window
   * @param sequence embeddings of the fixed sequence, [maxTokens, width]
   */
  public LayerStack withFixedMaps(IntPredicate fixed, Rows sequence) {
    List<SequenceLayer> replaced = new ArrayList<>();
    Rows hidden = sequence;
    for (int l = 0; l < layers.size(); l++) {
      SequenceLayer layer = layers.get(l);
      Rows read = read(hidden);
      hidden = sum(hidden, layer.run(read, sequence, layer.newState()));
      if (!fixed.test(l)) {
        replaced.add(layer);
      } else if (layer instanceof SoftmaxLayer softmax && softmax.isStandard()) {
        replaced.add(new FixedMapLayer(softmax.weights(), read));
      } else {
        throw new IllegalArgumentException(
            "layer " + l + " is no standard softmax layer, so its attention cannot be fixed");
      }
    }
    return new LayerStack(replaced, normed);
  }

  private Rows read(Rows hidden) {
    if (!normed) {
      return hidden;
    }
    double[] inverse = new double[hidden.tokens()];
    for (int i = 0; i < hidden.values().length; i++) {
      inverse[i / hidden.width()] += hidden.values()[i] * hidden.values()[i] / hidden.width();
    }
    return hidden.times(new Rows(inverse, 1).map(squares -> 1 / Math.sqrt(squares + EPSILON)));
  }

  private static Rows sum(Rows a, Rows b) {
    double[] sum = a.values().clone();
    for (int i = 0; i < sum.length; i++) {
      sum[i] += b.values()[i];
    }
    return new Rows(sum, a.width());
  }
}
