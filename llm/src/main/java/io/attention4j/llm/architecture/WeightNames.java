package io.attention4j.llm.architecture;

import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;

/**
 * Names of the weights in files of one architecture and format. Immutable.
 *
 * @see Weight
 */
public final class WeightNames {
  private final Map<Weight, String> names;
  private final boolean transposed;

  private WeightNames(Map<Weight, String> names, boolean transposed) {
    this.names = names;
    this.transposed = transposed;
  }

  /** The names most files of a format use. */
  public static WeightNames standard(Settings.Format format) {
    Map<Weight, String> names = new EnumMap<>(Weight.class);
    for (Weight weight : Weight.values()) {
      names.put(weight, weight.name(format));
    }
    return new WeightNames(names, false);
  }

  /** The same with another name for one weight; %d stands for the layer. */
  public WeightNames with(Weight weight, String name) {
    Map<Weight, String> changed = new EnumMap<>(names);
    changed.put(weight, name);
    return new WeightNames(changed, transposed);
  }

  /** The same with matrices of linear layers stored [inputs, outputs], as GPT-2 does. */
  public WeightNames withTransposedMatrices() {
    return new WeightNames(names, true);
  }

  /** Name without ".weight" or ".bias". */
  public String name(Weight weight, int layer) {
    return String.format(Locale.ROOT, names.get(weight), layer);
  }

  /** Whether matrices of linear layers are stored [inputs, outputs]. */
  public boolean transposedMatrices() {
    return transposed;
  }
}
